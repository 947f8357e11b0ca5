package org.tensorflow.lite;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.security.MessageDigest;

/** Answers from a folder: the file named as the SHA-256 of the input holds the output; an input without one is wrong. */
public class Interpreter implements AutoCloseable {
    public static class Options {
        private int threads = -1;
        private Delegate delegate;

        public Options setNumThreads(int threads) { this.threads = threads; return this; }

        public Options addDelegate(Delegate delegate) { this.delegate = delegate; return this; }
    }

    public static int threads;
    public static Delegate delegate;

    public Interpreter(ByteBuffer model, Options options) {
        if (options.delegate != null && System.getProperty("gpu", "").equals("refuses")) {
            throw new IllegalArgumentException("Internal error: Failed to apply delegate");
        }
        threads = options.threads;
        delegate = options.delegate;
    }

    public void run(Object input, Object output) {
        try {
            ByteBuffer pixels = (ByteBuffer) input;
            ByteBuffer scores = (ByteBuffer) output;
            if (pixels.order() != ByteOrder.nativeOrder() || scores.order() != ByteOrder.nativeOrder()) {
                throw new IllegalArgumentException("byte order");
            }
            byte[] bytes = new byte[pixels.remaining()];
            pixels.get(bytes);
            StringBuilder name = new StringBuilder();
            for (byte b : MessageDigest.getInstance("SHA-256").digest(bytes)) name.append(String.format("%02x", b));
            byte[] answer = Files.readAllBytes(new File(System.getProperty("answers"), name.toString()).toPath());
            if (answer.length != scores.remaining()) throw new IllegalArgumentException("size of the output");
            scores.put(answer);
        } catch (java.io.IOException | java.security.GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    public void close() {}
}
