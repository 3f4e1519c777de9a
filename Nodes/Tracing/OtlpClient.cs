using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;

namespace Vivarium.Nodes.Tracing;

/// <summary>What came of a request.</summary>
/// <param name="Problem">Null: the collector has it.</param>
/// <param name="MayRetry">Sending it again may help.</param>
/// <param name="RetryAfter">The collector's own wish.</param>
/// <param name="Rejected">Spans of it that the collector did not want.</param>
internal readonly record struct OtlpOutcome(string? Problem, bool MayRetry, TimeSpan? RetryAfter, long Rejected)
{
    public static OtlpOutcome Sent(long rejected) => new(null, false, null, rejected);
}

/// <summary>Sends OTLP requests: protobuf over HTTP, or gRPC's framing of it over HTTP/2.</summary>
internal sealed class OtlpClient : IDisposable
{
    /// <summary>More of an answer nobody needs.</summary>
    private const int LongestAnswer = 64 << 10;

    private const int FrameHeader = 5;
    private const string ProtobufType = "application/x-protobuf", GrpcType = "application/grpc";

    private readonly OtlpSettings _settings;
    private readonly HttpClient _http;

    /// <exception cref="IOException">A certificate cannot be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A certificate is none.</exception>
    public OtlpClient(OtlpSettings settings)
    {
        _settings = settings;
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = settings.Timeout };
        handler.SslOptions = MakeTls(settings);
        _http = new HttpClient(handler) { Timeout = settings.Timeout, MaxResponseContentBufferSize = LongestAnswer };
    }

    /// <summary>Sends a request once.</summary>
    public async Task<OtlpOutcome> Send(Uri to, ReadOnlyMemory<byte> body, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, to);
        request.Content = new ReadOnlyMemoryContent(_settings.IsGrpc ? Frame(body) : body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(_settings.IsGrpc ? GrpcType : ProtobufType);
        if (_settings.IsGrpc)
        {
            request.Version = HttpVersion.Version20;
            request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
            request.Headers.TryAddWithoutValidation("te", "trailers");
        }
        foreach ((string name, string value) in _settings.Headers)
            request.Headers.TryAddWithoutValidation(name, value);
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, stop).ConfigureAwait(false);
            byte[] answer = await response.Content.ReadAsByteArrayAsync(stop).ConfigureAwait(false);
            return _settings.IsGrpc ? JudgeGrpc(response, answer) : JudgeHttp(response, answer);
        }
        catch (HttpRequestException failure)
        {
            bool isHopeless = failure.HttpRequestError is HttpRequestError.SecureConnectionError or HttpRequestError.ConfigurationLimitExceeded;
            return new OtlpOutcome(failure.InnerException?.Message ?? failure.Message, !isHopeless, null, 0);
        }
        catch (Exception late) when (late is TaskCanceledException or OperationCanceledException && !stop.IsCancellationRequested)
        {
            return new OtlpOutcome("it does not answer", true, null, 0);
        }
        catch (IOException cut)
        {
            return new OtlpOutcome(cut.Message, true, null, 0);
        }
    }

    public void Dispose() => _http.Dispose();

    private static SslClientAuthenticationOptions MakeTls(OtlpSettings settings)
    {
        var tls = new SslClientAuthenticationOptions();
        if (settings.Authorities is { } file)
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(file);
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(authorities);
            tls.CertificateChainPolicy = policy;
        }
        if (settings.Certificate is { } certificate)
            tls.ClientCertificates = [X509Certificate2.CreateFromPemFile(certificate, settings.Key)];
        return tls;
    }

    /// <summary>gRPC's "Length-Prefixed-Message", not compressed.</summary>
    private static byte[] Frame(ReadOnlyMemory<byte> body)
    {
        byte[] frame = new byte[FrameHeader + body.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), body.Length);
        body.CopyTo(frame.AsMemory(FrameHeader));
        return frame;
    }

    private static OtlpOutcome JudgeHttp(HttpResponseMessage response, byte[] answer)
    {
        if (response.IsSuccessStatusCode)
            return OtlpOutcome.Sent(ReadRejected(answer));
        // OTLP specification, "Failures": these and only these are worth another try.
        bool mayRetry = (int)response.StatusCode is 429 or 502 or 503 or 504;
        return new OtlpOutcome($"it answers {(int)response.StatusCode}", mayRetry, RetryAfter(response), 0);
    }

    private static OtlpOutcome JudgeGrpc(HttpResponseMessage response, byte[] answer)
    {
        if (!response.IsSuccessStatusCode)
            return JudgeHttp(response, answer);
        string? text = First(response.TrailingHeaders, "grpc-status") ?? First(response.Headers, "grpc-status");
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int status))
            return new OtlpOutcome("it does not speak gRPC", false, null, 0);
        if (status == 0)
            return OtlpOutcome.Sent(answer.Length > FrameHeader ? ReadRejected(answer[FrameHeader..]) : 0);
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        string? message = First(response.TrailingHeaders, "grpc-message") ?? First(response.Headers, "grpc-message");
        return new OtlpOutcome($"it answers with gRPC status {status} {message}".TrimEnd(), status is 1 or 4 or 10 or 11 or 14 or 15, null, 0);
    }

    private static string? First(HttpHeaders headers, string name) => headers.TryGetValues(name, out IEnumerable<string>? values) ? values.First() : null;

    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter?.Delta;

    /// <summary>partial_success.rejected_spans; an answer that is no such message rejects nothing.</summary>
    private static long ReadRejected(byte[] answer)
    {
        try
        {
            var message = new CodedInputStream(answer);
            for (uint tag; (tag = message.ReadTag()) != 0;)
            {
                if (tag >> 3 == 1)
                    return Math.Max(0, ReadFirstNumber(message.ReadBytes().ToByteArray()));
                message.SkipLastField();
            }
        }
        catch (InvalidProtocolBufferException)
        {
        }
        return 0;
    }

    private static long ReadFirstNumber(byte[] partial)
    {
        var message = new CodedInputStream(partial);
        for (uint tag; (tag = message.ReadTag()) != 0;)
        {
            if (tag == 8)
                return message.ReadInt64();
            message.SkipLastField();
        }
        return 0;
    }
}
