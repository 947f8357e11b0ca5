package android.graphics;

import java.io.IOException;
import java.io.InputStream;
import javax.imageio.ImageIO;

/** Pictures out of PNG files. */
public class BitmapFactory {
    public static Bitmap decodeStream(InputStream stream) throws IOException { return new Bitmap(ImageIO.read(stream)); }
}
