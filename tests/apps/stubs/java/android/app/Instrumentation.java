package android.app;

import android.content.Context;
import android.content.res.AssetManager;
import java.io.File;

/** The application's assets and those of its test. */
public class Instrumentation {
    private static Context of(String name) { return new Context(new AssetManager(new File(System.getProperty(name)))); }

    public Context getTargetContext() { return of("assets"); }

    public Context getContext() { return of("testAssets"); }
}
