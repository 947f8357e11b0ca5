package org.tensorflow.lite;

/** As in the runtime. */
public interface Delegate extends AutoCloseable {
    @Override
    default void close() {}
}
