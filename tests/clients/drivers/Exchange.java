// Single requests, encoded and decoded by Kafka's own classes: {"port": n, "api": "Metadata", "version": n, "body": {...}} per line on stdin,
// {"response": {...}} or {"closed": true} per line on stdout. {"port": n, "raw": hex} sends a frame as it is and answers with hex.
// A field "records" may be {"values": [...], "magic": 2, "codec": "none", "time": ms}: a batch is made of it.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.SimpleRecord;

public class Exchange {
    static final ObjectMapper JSON = new ObjectMapper();
    static final int CORRELATION = 77;

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            ObjectNode answer;
            try {
                answer = exchange(JSON.readTree(line));
            } catch (EOFException | SocketException e) {
                answer = JSON.createObjectNode().put("closed", true);
            } catch (Throwable t) {
                t.printStackTrace();
                answer = JSON.createObjectNode().put("failed", String.valueOf(t));
            }
            System.out.println(JSON.writeValueAsString(answer));
            System.out.flush();
        }
    }

    /* One connection for all, as a client has it; a new one after a broker has closed it. */
    static Socket socket;

    static ByteBuffer send(int port, ByteBuffer frame) throws Exception {
        boolean answered = false;
        try {
            if (socket == null) {
                socket = new Socket("127.0.0.1", port);
                socket.setSoTimeout(30000);
            }
            socket.getOutputStream().write(frame.array(), 0, frame.limit());
            DataInputStream in = new DataInputStream(socket.getInputStream());
            byte[] answer = new byte[in.readInt()];
            in.readFully(answer);
            answered = true;
            return ByteBuffer.wrap(answer);
        } finally {
            if (!answered && socket != null) {
                socket.close();
                socket = null;
            }
        }
    }

    static ObjectNode exchange(JsonNode c) throws Exception {
        if (c.has("raw")) {
            byte[] bytes = HexFormat.of().parseHex(c.get("raw").asText());
            ByteBuffer answer = send(c.get("port").asInt(), ByteBuffer.wrap(bytes));
            return JSON.createObjectNode().put("response", HexFormat.of().formatHex(answer.array()));
        }
        short version = (short) c.get("version").asInt();
        ApiMessageType type = typeOf(c.get("api").asText());
        JsonNode body = c.get("body");
        prune(body, type.requestSchemas()[version]);
        makeRecords(body);
        ApiMessage request = (ApiMessage) converter(type.newRequest()).getMethod("read", JsonNode.class, short.class)
            .invoke(null, body, version);
        ByteBuffer answer = send(c.get("port").asInt(), frame(type, version, request));
        ByteBufferAccessor readable = new ByteBufferAccessor(answer);
        new ResponseHeaderData().read(readable, type.responseHeaderVersion(version));
        ApiMessage response = type.newResponse();
        response.read(readable, version);
        JsonNode json = (JsonNode) converter(response).getMethod("write", response.getClass(), short.class, boolean.class)
            .invoke(null, response, version, false);
        ObjectNode result = JSON.createObjectNode();
        result.set("response", json);
        if (readable.remaining() > 0)
            result.put("bytes_left", readable.remaining());
        return result;
    }

    static ApiMessageType typeOf(String name) {
        for (ApiMessageType t : ApiMessageType.values())
            if (t.name.equals(name))
                return t;
        throw new IllegalArgumentException(name);
    }

    /* Drops what the version has not: bodies are written once for all versions. */
    static void prune(JsonNode n, Type type) {
        if (type.isNullable() && n.isNull() || n.path("values").isArray())
            return;
        if (type.isArray()) {
            for (JsonNode child : n)
                prune(child, type.arrayElementType().get());
        } else if (type instanceof Schema && n.isObject()) {
            Schema schema = (Schema) type;
            List<String> drop = new ArrayList<>();
            n.fields().forEachRemaining(e -> {
                String name = e.getKey().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
                Type field = schema.get(name) != null ? schema.get(name).def.type : null;
                if (field == null)
                    drop.add(e.getKey());
                else
                    prune(e.getValue(), field);
            });
            ((ObjectNode) n).remove(drop);
        }
    }

    static Class<?> converter(ApiMessage m) throws Exception {
        return Class.forName(m.getClass().getName() + "JsonConverter");
    }

    static ByteBuffer frame(ApiMessageType type, short version, ApiMessage request) {
        RequestHeaderData header = new RequestHeaderData().setRequestApiKey(type.apiKey()).setRequestApiVersion(version)
            .setCorrelationId(CORRELATION).setClientId("exchange");
        short headerVersion = type.requestHeaderVersion(version);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size = header.size(cache, headerVersion) + request.size(cache, version);
        ByteBuffer frame = ByteBuffer.allocate(4 + size);
        frame.putInt(size);
        ByteBufferAccessor writable = new ByteBufferAccessor(frame);
        header.write(writable, cache, headerVersion);
        request.write(writable, cache, version);
        frame.flip();
        return frame;
    }

    static void makeRecords(JsonNode n) {
        if (n.isObject() && n.path("records").has("values")) {
            JsonNode r = n.get("records");
            List<SimpleRecord> records = new ArrayList<>();
            for (JsonNode v : r.get("values"))
                records.add(new SimpleRecord(r.path("time").asLong(1700000000000L) + records.size(), ("key " + v.asText()).getBytes(),
                    v.isNull() ? null : v.asText().getBytes()));
            Compression codec = Compression.of(CompressionType.forName(r.path("codec").asText("none"))).build();
            MemoryRecords made = r.has("producer")
                ? MemoryRecords.withIdempotentRecords(codec, r.get("producer").asLong(), (short) r.path("epoch").asInt(),
                    r.path("sequence").asInt(), records.toArray(new SimpleRecord[0]))
                : MemoryRecords.withRecords((byte) r.path("magic").asInt(2), codec, records.toArray(new SimpleRecord[0]));
            byte[] bytes = new byte[made.sizeInBytes()];
            made.buffer().duplicate().get(bytes);
            ((ObjectNode) n).put("records", bytes);
        }
        for (JsonNode child : n)
            makeRecords(child);
    }
}
