import java.util.Base64;
import java.util.Scanner;
import okhttp3.MultipartReader;
import okio.Buffer;

/**
 * Reads multipart bodies with OkHttp: boundary and body per line, the body in base64.
 *
 * <p>Prints the body of each part in base64, or "refused" and why.
 */
class Parts {
    public static void main(String[] arguments) {
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            String[] fields = lines.nextLine().split(" ");
            byte[] body = Base64.getDecoder().decode(fields.length > 1 ? fields[1] : "");
            System.out.println(read(fields[0], body));
        }
    }

    private static String read(String boundary, byte[] body) {
        StringBuilder found = new StringBuilder("parts");
        try (MultipartReader reader = new MultipartReader(new Buffer().write(body), boundary)) {
            for (var part = reader.nextPart(); part != null; part = reader.nextPart()) {
                byte[] content = part.body().readByteArray();
                found.append(' ').append(Base64.getEncoder().encodeToString(content));
            }
            return found.toString();
        } catch (Exception error) {
            return "refused " + error;
        }
    }
}
