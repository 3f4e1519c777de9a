using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Vivarium.Nodes.Tests.Otlp;

namespace Vivarium.Nodes.Tests.Tracing;

/// <summary>A collector of OTLP over HTTP/1.1 and over gRPC's HTTP/2, that decodes what it is sent and answers as it is told.</summary>
internal sealed class Collector : IAsyncDisposable
{
    private const int FrameHeader = 5;

    private readonly WebApplication _app;

    private Collector(WebApplication app) => _app = app;

    public required Uri Address { get; init; }

    /// <summary>PEM of the certificate to trust; null without TLS.</summary>
    public string? Authority { get; init; }

    public ConcurrentQueue<ExportTraceServiceRequest> Traces { get; } = new();

    public ConcurrentQueue<ExportMetricsServiceRequest> Metrics { get; } = new();

    public ConcurrentQueue<(string Path, string? Type, string Protocol, string? Header)> Requests { get; } = new();

    /// <summary>Answers to give before all is well: HTTP statuses, gRPC's as negative numbers, or 0 for a page that is no answer at all.</summary>
    public ConcurrentQueue<int> Refusals { get; } = new();

    /// <summary>Body of good answers.</summary>
    public byte[] Answer { get; set; } = [];

    public IEnumerable<Span> Spans => Traces.SelectMany(request => request.ResourceSpans).SelectMany(resource => resource.ScopeSpans).SelectMany(scope => scope.Spans);

    public static async Task<Collector> Start(bool grpc, bool tls = false, int port = 0)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = Certify(key);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelHttpsConfiguration();
        // Kestrel keeps what it is given for as long as it lives.
        X509Certificate2 own = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen =>
        {
            listen.Protocols = grpc ? HttpProtocols.Http2 : HttpProtocols.Http1;
            if (tls)
                listen.UseHttps(own);
        }));
        WebApplication app = builder.Build();
        Collector? collector = null;
        app.Run(context => collector!.Take(context, grpc));
        await app.StartAsync();
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return collector = new Collector(app) { Address = new Uri(address), Authority = tls ? certificate.ExportCertificatePem() : null };
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static X509Certificate2 Certify(ECDsa key)
    {
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private async Task Take(HttpContext context, bool grpc)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        byte[] message = body.ToArray();
        Requests.Enqueue((context.Request.Path, context.Request.ContentType, context.Request.Protocol, context.Request.Headers["x-tenant"]));
        if (Refusals.TryDequeue(out int refusal))
        {
            await Refuse(context, refusal);
            return;
        }
        if (grpc)
        {
            if (message[0] != 0 || BinaryPrimitives.ReadInt32BigEndian(message.AsSpan(1)) != message.Length - FrameHeader)
                throw new InvalidDataException("not a gRPC frame");
            message = message[FrameHeader..];
        }
        string path = context.Request.Path.Value!;
        if (path.Contains("trace", StringComparison.OrdinalIgnoreCase))
            Traces.Enqueue(ExportTraceServiceRequest.Parser.ParseFrom(message));
        else
            Metrics.Enqueue(ExportMetricsServiceRequest.Parser.ParseFrom(message));
        context.Response.ContentType = grpc ? "application/grpc" : "application/x-protobuf";
        byte[] answer = Answer;
        if (grpc)
        {
            byte[] frame = new byte[FrameHeader + answer.Length];
            BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), answer.Length);
            answer.CopyTo(frame, FrameHeader);
            answer = frame;
        }
        await context.Response.Body.WriteAsync(answer);
        if (grpc)
            context.Response.AppendTrailer("grpc-status", "0");
    }

    private static async Task Refuse(HttpContext context, int refusal)
    {
        if (refusal > 0)
        {
            context.Response.StatusCode = refusal;
            context.Response.Headers.RetryAfter = "0";
            return;
        }
        if (refusal == 0)
        {
            context.Response.ContentType = "text/html";
            await context.Response.WriteAsync("<html>\u00ff</html>");
            return;
        }
        context.Response.ContentType = "application/grpc";
        await context.Response.StartAsync();
        context.Response.AppendTrailer("grpc-status", (-refusal).ToString(System.Globalization.CultureInfo.InvariantCulture));
    }
}
