using System.Net;
using Google.Protobuf;

namespace Vivarium.Telemetry.Tests;

/// <summary>One span as it came over the wire.</summary>
internal sealed record ReceivedSpan
{
    public string TraceId { get; set; } = "";

    public string SpanId { get; set; } = "";

    public string ParentId { get; set; } = "";

    public string Name { get; set; } = "";

    public ulong Start { get; set; }

    public ulong End { get; set; }

    public int StatusCode { get; set; }

    public Dictionary<string, object> Attributes { get; } = [];
}

/// <summary>A collector: takes OTLP over HTTP and decodes trace requests (opentelemetry-proto, trace/v1).</summary>
internal sealed class OtlpReceiver : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Task _loop;

    public OtlpReceiver()
    {
        // A port nobody has: HttpListener cannot choose one itself.
        for (int port = 20000 + (Environment.ProcessId % 20000); ; port++)
        {
            _listener.Prefixes.Clear();
            _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            try
            {
                _listener.Start();
                Endpoint = $"http://127.0.0.1:{port}";
                break;
            }
            catch (HttpListenerException) when (port < 65000)
            {
            }
        }
        _loop = Receive();
    }

    public string Endpoint { get; }

    public List<ReceivedSpan> Spans { get; } = [];

    public List<string> Paths { get; } = [];

    public List<string?> ContentTypes { get; } = [];

    public void Dispose()
    {
        _listener.Stop();
        _loop.Wait(5000);
        _listener.Close();
    }

    private async Task Receive()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception stopped) when (stopped is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            lock (Spans)
            {
                Paths.Add(context.Request.Url!.AbsolutePath);
                ContentTypes.Add(context.Request.ContentType);
                ReadRequest(body.ToArray());
            }
            context.Response.ContentType = "application/x-protobuf";
            context.Response.Close();
        }
    }

    private void ReadRequest(byte[] request) =>
        ForEach(request, 1, resourceSpans => ForEach(resourceSpans, 2, scopeSpans => ForEach(scopeSpans, 2, span => Spans.Add(ReadSpan(span)))));

    private static ReceivedSpan ReadSpan(byte[] message)
    {
        var span = new ReceivedSpan();
        var input = new CodedInputStream(message);
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            switch (tag >> 3)
            {
                case 1: span.TraceId = Convert.ToHexStringLower(input.ReadBytes().Span); break;
                case 2: span.SpanId = Convert.ToHexStringLower(input.ReadBytes().Span); break;
                case 4: span.ParentId = Convert.ToHexStringLower(input.ReadBytes().Span); break;
                case 5: span.Name = input.ReadString(); break;
                case 7: span.Start = input.ReadFixed64(); break;
                case 8: span.End = input.ReadFixed64(); break;
                case 9: ReadAttribute(input.ReadBytes().ToByteArray(), span.Attributes); break;
                case 15: span.StatusCode = ReadStatus(input.ReadBytes().ToByteArray()); break;
                default: input.SkipLastField(); break;
            }
        }
        return span;
    }

    private static void ReadAttribute(byte[] message, Dictionary<string, object> attributes)
    {
        string key = "";
        object value = "";
        var input = new CodedInputStream(message);
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            if (tag >> 3 == 1)
                key = input.ReadString();
            else
                value = ReadValue(input.ReadBytes().ToByteArray());
        }
        attributes.Add(key, value);
    }

    private static object ReadValue(byte[] message)
    {
        var input = new CodedInputStream(message);
        switch (input.ReadTag() >> 3)
        {
            case 1: return input.ReadString();
            case 2: return input.ReadBool();
            case 3: return input.ReadInt64();
            case 4: return input.ReadDouble();
            case 5:
                List<object> values = [];
                ForEach(input.ReadBytes().ToByteArray(), 1, value => values.Add(ReadValue(value)));
                return values;
            default: return message;
        }
    }

    private static int ReadStatus(byte[] message)
    {
        var input = new CodedInputStream(message);
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            if (tag >> 3 == 3)
                return input.ReadEnum();
            input.SkipLastField();
        }
        return 0;
    }

    private static void ForEach(byte[] message, int field, Action<byte[]> action)
    {
        var input = new CodedInputStream(message);
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            if (tag >> 3 == field)
                action(input.ReadBytes().ToByteArray());
            else
                input.SkipLastField();
        }
    }
}
