using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;
using Vivarium.Nodes.Hosting;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Nodes.Cluster;

/// <summary>Answers other nodes: HTTP/2, only for those that show a certificate of the cluster's authority.</summary>
internal sealed class PeerServer : IAsyncDisposable
{
    public const string JobsPath = "/peer/v1/jobs";
    public const string DrainPath = "/peer/v1/drain";
    public const string TracesPath = "/peer/v1/traces";

    private const int LargestBody = 1 << 20;

    private readonly WebApplication _application;
    private readonly JobCluster _jobs;
    private readonly ITraceSource _traces;
    private readonly Action _drain;

    /// <param name="drain">Called when another node asks this one to drain and leave.</param>
    public PeerServer(NodeSettings settings, PeerIdentity identity, JobCluster jobs, ITraceSource traces, Action drain)
    {
        _jobs = jobs;
        _traces = traces;
        _drain = drain;
        NodeSettings.TryEndPoint(settings.PeerListen, out IPEndPoint? listen);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            options.Limits.MaxRequestBodySize = LargestBody;
            options.Listen(listen!, endpoint =>
            {
                endpoint.Protocols = HttpProtocols.Http2;
                endpoint.UseHttps(new HttpsConnectionAdapterOptions
                {
                    ServerCertificate = identity.Certificate,
                    ClientCertificateMode = ClientCertificateMode.RequireCertificate,
                    ClientCertificateValidation = (certificate, _, _) => identity.Trusts(certificate),
                });
            });
        });
        builder.Services.AddRoutingCore();
        _application = builder.Build();
        _application.UseRouting();
        _application.MapMethods(JobsPath, ["POST"], Command);
        _application.MapMethods(DrainPath, ["POST"], Drain);
        _application.MapMethods(TracesPath, ["POST"], Trace);
    }

    /// <exception cref="StoreRefusedException">It cannot listen there.</exception>
    public async Task Start()
    {
        try
        {
            await _application.StartAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or System.Net.Sockets.SocketException)
        {
            throw new StoreRefusedException($"peer.listen: {failure.Message}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _application.StopAsync(patience.Token).ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }

    private async Task Command(HttpContext context)
    {
        if (await ReadBody(context).ConfigureAwait(false) is not { } body)
            return;
        JobReply reply;
        try
        {
            (int shard, JobId id, JobCommand? command) = WireFormat.ReadCommand(body);
            if (command is null)
                reply = new JobReply(JobReplyKind.Refused, "the job's node runs an older version that does not know this");
            else if (_jobs.TellHere(shard, id, command) is { } answer)
                reply = await answer.ConfigureAwait(false);
            else
                reply = JobReply.Unavailable;
        }
        catch (Exception wrong) when (wrong is IOException or ArgumentException)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }
        await context.Response.Body.WriteAsync(WireFormat.Write(reply)).ConfigureAwait(false);
    }

    /// <summary>A trace that is kept here; otherwise why it is not.</summary>
    private async Task Trace(HttpContext context)
    {
        if (await ReadBody(context).ConfigureAwait(false) is not { } body)
            return;
        JobId id;
        int attempt;
        try
        {
            (id, attempt) = WireFormat.ReadTraceRequest(body);
        }
        catch (Exception wrong) when (wrong is IOException or ArgumentException)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }
        TraceAnswer answer = await _traces.Find(id.ToString(), attempt, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = answer.File is null ? StatusCodes.Status404NotFound : StatusCodes.Status200OK;
        await context.Response.Body.WriteAsync(answer.File ?? System.Text.Encoding.UTF8.GetBytes(answer.Missing ?? "")).ConfigureAwait(false);
    }

    private async Task Drain(HttpContext context)
    {
        if (await ReadBody(context).ConfigureAwait(false) is not null)
            _drain();
    }

    private static async Task<byte[]?> ReadBody(HttpContext context)
    {
        if (context.Request.ContentType != "application/x-protobuf")
        {
            context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return null;
        }
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted).ConfigureAwait(false);
        return body.ToArray();
    }
}
