// Runs Kafka's tools one after the other in one JVM, as its scripts would: {"main": class, "args": [...], "stdin": text} per line on stdin,
// {"status": n, "out": text, "err": text} per line on stdout.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

public class KafkaTools {
    /* Where System.out goes: it must be one object for good, as Scala keeps the one it finds first. */
    static class Switch extends OutputStream {
        volatile ByteArrayOutputStream to = new ByteArrayOutputStream();
        @Override public void write(int b) {
            to.write(b);
        }
        @Override public void write(byte[] b, int off, int len) {
            to.write(b, off, len);
        }
    }

    static class Ended extends Error {
        Ended() {
            super("the tool has ended", null, false, false);
        }
    }

    static Integer status;
    static final List<Runnable> hooks = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = System.out;
        Switch out = new Switch(), err = new Switch();
        System.setOut(new PrintStream(out, true));
        System.setErr(new PrintStream(err, true));
        Exit.Procedure end = (code, message) -> {
            synchronized (hooks) {
                if (status == null)
                    status = code;
            }
            if (message != null)
                System.err.println(message);
            throw new Ended();
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        Exit.setShutdownHookAdder((name, hook) -> {
            synchronized (hooks) {
                hooks.add(hook);
            }
        });
        for (String line; (line = commands.readLine()) != null;) {
            JsonNode c = json.readTree(line);
            List<String> arguments = new ArrayList<>();
            c.get("args").forEach(a -> arguments.add(a.asText()));
            out.to = new ByteArrayOutputStream();
            err.to = new ByteArrayOutputStream();
            System.setIn(new ByteArrayInputStream(c.path("stdin").asText("").getBytes(StandardCharsets.UTF_8)));
            int code = run(c.get("main").asText(), arguments.toArray(new String[0]));
            Map<String, Object> answer = new HashMap<>();
            answer.put("status", code);
            answer.put("out", out.to.toString(StandardCharsets.UTF_8));
            answer.put("err", err.to.toString(StandardCharsets.UTF_8));
            answers.println(json.writeValueAsString(answer));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    static int run(String main, String[] arguments) throws Exception {
        status = null;
        int otherwise = 0;
        try {
            Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException e) {
            if (!(e.getCause() instanceof Ended)) {
                e.getCause().printStackTrace();
                otherwise = 1; // as the JVM does
            }
        }
        List<Runnable> last;
        synchronized (hooks) {
            last = new ArrayList<>(hooks);
            hooks.clear();
        }
        for (Runnable hook : last)
            hook.run();
        return status == null ? otherwise : status;
    }
}
