package androidx.test.platform.app;

import android.app.Instrumentation;

/** As in the library. */
public class InstrumentationRegistry {
    public static Instrumentation getInstrumentation() { return new Instrumentation(); }
}
