import java.lang.reflect.Method;

/** Runs every test of the classes that are named. */
public class RunTests {
    public static void main(String[] names) throws Exception {
        for (String name : names) {
            for (Method method : Class.forName(name).getDeclaredMethods()) {
                if (!method.isAnnotationPresent(org.junit.Test.class)) continue;
                method.invoke(Class.forName(name).getDeclaredConstructor().newInstance());
                System.out.println(name + "." + method.getName() + " passed, on " + (org.tensorflow.lite.Interpreter.delegate == null ? "CPU" : "GPU"));
            }
        }
    }
}
