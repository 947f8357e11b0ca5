package org.junit;

/** As in the library. */
public class Assert {
    public static void assertEquals(String message, float expected, float actual, float delta) {
        if (!(Math.abs(expected - actual) <= delta)) {
            throw new AssertionError(message + ": expected " + expected + ", received " + actual);
        }
    }
}
