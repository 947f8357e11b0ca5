package android.graphics;

import java.awt.image.BufferedImage;

/** A picture whose colours are 0xAARRGGBB; it is resized to its own size alone. */
public class Bitmap {
    private final BufferedImage image;

    Bitmap(BufferedImage image) { this.image = image; }

    public static Bitmap createScaledBitmap(Bitmap picture, int width, int height, boolean filter) {
        if (picture.image.getWidth() != width || picture.image.getHeight() != height) {
            throw new IllegalArgumentException("a picture of another size");
        }
        return picture;
    }

    public void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        if (stride < width) throw new IllegalArgumentException("stride");
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int colour;
                if (image.getRaster().getNumBands() == 1) {  // ImageIO would apply a gamma to grey
                    int grey = image.getRaster().getSample(x + column, y + row, 0);
                    colour = 0xFF000000 | grey << 16 | grey << 8 | grey;
                } else {
                    colour = image.getRGB(x + column, y + row);
                }
                pixels[offset + row * stride + column] = colour;
            }
        }
    }
}
