using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Unicode;

namespace Vivarium.Nodes.Http.Contract;

/// <summary>Bytes that are text nearly always, as Unix has them: a JSON string where they are UTF-8, {"base64": "…"} where they are not.</summary>
[JsonConverter(typeof(ByteTextConverter))]
internal readonly struct ByteText(byte[] bytes)
{
    public byte[] Bytes => bytes ?? [];

    public static implicit operator ByteText(string text) => new(Encoding.UTF8.GetBytes(text));

    public override string ToString() => Encoding.UTF8.GetString(Bytes);
}

internal sealed class ByteTextConverter : JsonConverter<ByteText>
{
    private const string Base64Name = "base64";

    public override ByteText Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString()!;
        if (reader.TokenType != JsonTokenType.StartObject || !reader.Read() || reader.TokenType != JsonTokenType.PropertyName
            || !reader.ValueTextEquals(Base64Name) || !reader.Read() || reader.TokenType != JsonTokenType.String
            || !reader.TryGetBytesFromBase64(out byte[]? bytes) || !reader.Read() || reader.TokenType != JsonTokenType.EndObject)
        {
            throw new JsonException("must be a string or {\"base64\": \"…\"}");
        }
        return new ByteText(bytes);
    }

    public override void Write(Utf8JsonWriter writer, ByteText value, JsonSerializerOptions options)
    {
        if (Utf8.IsValid(value.Bytes))
        {
            writer.WriteStringValue(value.Bytes);
            return;
        }
        writer.WriteStartObject();
        writer.WriteBase64String(Base64Name, value.Bytes);
        writer.WriteEndObject();
    }
}
