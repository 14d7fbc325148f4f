import java.nio.charset.StandardCharsets;
import java.text.ParsePosition;
import java.text.SimpleDateFormat;
import java.util.Base64;
import java.util.Date;
import java.util.Locale;
import java.util.Scanner;
import java.util.TimeZone;

/** Reads dates as the Android client does: one in base64 per line; its milliseconds or "refused". */
class Dates {
    public static void main(String[] arguments) {
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            byte[] line = Base64.getDecoder().decode(lines.nextLine());
            Date read = read(new String(line, StandardCharsets.UTF_8));
            System.out.println(read == null ? "refused" : Long.toString(read.getTime()));
        }
    }

    private static Date read(String text) {
        SimpleDateFormat format = new SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.US);
        format.setTimeZone(TimeZone.getTimeZone("GMT"));
        return format.parse(text, new ParsePosition(0));
    }
}
