// Prints the values of Parquet files as parquet-java reads them, an implementation that shares no code with Arrow's. The
// checksum of each page is verified. One line of JSON for each column: its name, its type, and its values, where a leaf is a
// kind and a text (that of strings and bytes in hexadecimal digits).
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DateLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DecimalLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.ListLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.MapLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.StringLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimeLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimeUnit;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.PrimitiveType;
import org.apache.parquet.schema.Type;

public class ParquetValues {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            System.out.println("\"" + file + "\"");
            print(Path.of(file));
        }
    }

    static void print(Path file) throws Exception {
        var options = ParquetReadOptions.builder(new PlainParquetConfiguration()).usePageChecksumVerification().build();
        try (var reader = new ParquetFileReader(new LocalInputFile(file), options)) {
            var schema = reader.getFooter().getFileMetaData().getSchema();
            var io = new ColumnIOFactory().getColumnIO(schema);
            List<Group> rows = new ArrayList<>();
            for (PageReadStore pages; (pages = reader.readNextRowGroup()) != null; ) {
                var records = io.getRecordReader(pages, new GroupRecordConverter(schema));
                for (long row = 0; row < pages.getRowCount(); row++) rows.add(records.read());
            }
            if (rows.size() != reader.getRecordCount()) throw new IllegalStateException("the footer has another number of rows");
            for (int field = 0; field < schema.getFieldCount(); field++) {
                var out = new StringBuilder("[\"" + schema.getFieldName(field) + "\",\"" + name(schema.getType(field)) + "\",[");
                for (int row = 0; row < rows.size(); row++) {
                    if (row > 0) out.append(',');
                    optional(out, schema.getType(field), rows.get(row), field);
                }
                System.out.println(out.append("]]"));
            }
        }
    }

    static String name(Type type) {
        var logical = type.getLogicalTypeAnnotation();
        if (logical != null) return logical.toString();
        return type.isPrimitive() ? type.asPrimitiveType().getPrimitiveTypeName().toString() : "group";
    }

    static void optional(StringBuilder out, Type type, Group group, int field) {
        if (group.getFieldRepetitionCount(field) == 0) out.append("null");
        else value(out, type, group, field);
    }

    static void value(StringBuilder out, Type type, Group group, int field) {
        if (type.isPrimitive()) {
            out.append('"').append(leaf(type.asPrimitiveType(), group, field)).append('"');
            return;
        }
        Group inner = group.getGroup(field, 0);
        LogicalTypeAnnotation logical = type.getLogicalTypeAnnotation();
        if (logical instanceof ListLogicalTypeAnnotation || logical instanceof MapLogicalTypeAnnotation) {
            GroupType repeated = type.asGroupType().getType(0).asGroupType();
            out.append(logical instanceof MapLogicalTypeAnnotation ? "{\"map\":[" : "{\"list\":[");
            for (int i = 0; i < inner.getFieldRepetitionCount(0); i++) {
                if (i > 0) out.append(',');
                Group element = inner.getGroup(0, i);
                if (repeated.getFieldCount() == 1) {
                    optional(out, repeated.getType(0), element, 0);
                } else {
                    out.append('[');
                    optional(out, repeated.getType(0), element, 0);
                    out.append(',');
                    optional(out, repeated.getType(1), element, 1);
                    out.append(']');
                }
            }
            out.append("]}");
            return;
        }
        GroupType struct = type.asGroupType();
        out.append("{\"struct\":{");
        for (int i = 0; i < struct.getFieldCount(); i++) {
            out.append(i > 0 ? ",\"" : "\"").append(struct.getFieldName(i)).append("\":");
            optional(out, struct.getType(i), inner, i);
        }
        out.append("}}");
    }

    static String leaf(PrimitiveType type, Group group, int field) {
        LogicalTypeAnnotation logical = type.getLogicalTypeAnnotation();
        if (logical instanceof DecimalLogicalTypeAnnotation decimal)
            return "decimal:" + new BigDecimal(unscaled(type, group, field), decimal.getScale()).toPlainString();
        if (logical instanceof DateLogicalTypeAnnotation) return "date:" + group.getInteger(field, 0);
        if (logical instanceof TimeLogicalTypeAnnotation time)
            return "time:" + micros(time.getUnit(), unscaled(type, group, field).longValueExact());
        if (logical instanceof TimestampLogicalTypeAnnotation timestamp)
            return (timestamp.isAdjustedToUTC() ? "instant:" : "local:")
                + micros(timestamp.getUnit(), unscaled(type, group, field).longValueExact());
        if (logical instanceof StringLogicalTypeAnnotation)
            return "string:" + HexFormat.of().formatHex(group.getString(field, 0).getBytes(StandardCharsets.UTF_8));
        return switch (type.getPrimitiveTypeName()) {
            case BOOLEAN -> "boolean:" + group.getBoolean(field, 0);
            case INT32, INT64 -> "integer:" + unscaled(type, group, field);
            case FLOAT -> "float:" + (double) group.getFloat(field, 0);
            case DOUBLE -> "float:" + group.getDouble(field, 0);
            default -> "bytes:" + HexFormat.of().formatHex(group.getBinary(field, 0).getBytes());
        };
    }

    static BigInteger unscaled(PrimitiveType type, Group group, int field) {
        return switch (type.getPrimitiveTypeName()) {
            case INT32 -> BigInteger.valueOf(group.getInteger(field, 0));
            case INT64 -> BigInteger.valueOf(group.getLong(field, 0));
            default -> new BigInteger(group.getBinary(field, 0).getBytes());
        };
    }

    static long micros(TimeUnit unit, long count) {
        return switch (unit) {
            case MILLIS -> Math.multiplyExact(count, 1000L);
            case MICROS -> count;
            case NANOS -> throw new IllegalStateException("a time in nanoseconds");
        };
    }
}
