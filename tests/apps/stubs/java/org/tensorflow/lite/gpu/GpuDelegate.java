package org.tensorflow.lite.gpu;

import org.tensorflow.lite.Delegate;

/** A GPU that the system property `gpu` says the phone has. */
public class GpuDelegate implements Delegate {
    public GpuDelegate() {
        if (System.getProperty("gpu", "").equals("missing")) throw new UnsatisfiedLinkError("no GPU library");
    }
}
