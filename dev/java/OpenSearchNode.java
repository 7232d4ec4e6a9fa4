import java.io.IOException;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** Runs OpenSearch on exactly the port that was asked for; the runner's own main class looks for a free one. */
public class OpenSearchNode {

    public static void main(String[] arguments) {
        try {
            run(arguments);
        } catch (Throwable failure) {
            failure.printStackTrace();
            System.exit(1);
        }
    }

    private static void run(String[] arguments) throws InterruptedException {
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.setMaxHttpPort(-1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
        runner.build(arguments);
        Thread.currentThread().join();
    }

    private static void close(OpenSearchRunner runner) {
        try {
            runner.close();
        } catch (IOException failure) {
            failure.printStackTrace();
        }
    }
}
