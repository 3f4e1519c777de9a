using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using Vivarium.Actors.Jobs;
using Vivarium.Messages;
using Vivarium.Messages.Wire;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Nodes.Cluster;

/// <summary>Asks other nodes: HTTP/2 with both sides' certificates, protobuf bodies.</summary>
internal sealed class PeerClient : IPeers, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly HttpClient _http;

    public PeerClient(PeerIdentity identity)
    {
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(2),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            KeepAlivePingDelay = TimeSpan.FromSeconds(5),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(3),
            SslOptions = new SslClientAuthenticationOptions
            {
                ClientCertificates = [identity.Certificate],
                RemoteCertificateValidationCallback = (_, certificate, _, errors) => identity.Trusts(certificate, errors),
            },
        })
        {
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Patience,
        };
    }

    public async ValueTask<JobReply> Forward(NodeDescription node, int shard, JobId id, JobCommand command)
    {
        byte[]? reply = await Post(node, PeerServer.JobsPath, WireFormat.Write(shard, id, command)).ConfigureAwait(false);
        return reply is null ? JobReply.Unavailable : WireFormat.ReadReply(reply);
    }

    /// <summary>Asks a node to drain and leave; false when it cannot be reached.</summary>
    public async ValueTask<bool> Drain(NodeDescription node) => await Post(node, PeerServer.DrainPath, []).ConfigureAwait(false) is not null;

    /// <summary>The trace of a job's attempt that ran on a node, 0 = of the last; null when the node cannot be reached.</summary>
    public async Task<TraceAnswer?> Trace(NodeDescription node, JobId id, int attempt, CancellationToken stop)
    {
        if (node.PeerAddress is null)
            return null;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(new Uri(node.PeerAddress), PeerServer.TracesPath)) { Content = new ByteArrayContent(WireFormat.WriteTraceRequest(id, attempt)), Version = HttpVersion.Version20 };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
            // Traces are large: only the answer's beginning has to come soon.
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop).ConfigureAwait(false);
            byte[] body = await response.Content.ReadAsByteArrayAsync(stop).ConfigureAwait(false);
            return response.StatusCode switch
            {
                HttpStatusCode.OK => new TraceAnswer(body, null),
                HttpStatusCode.NotFound when body.Length > 0 => new TraceAnswer(null, System.Text.Encoding.UTF8.GetString(body)),
                _ => new TraceAnswer(null, "it runs an older version that gives no traces away"),
            };
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException or IOException && !stop.IsCancellationRequested)
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    private async ValueTask<byte[]?> Post(NodeDescription node, string path, byte[] body)
    {
        if (node.PeerAddress is null)
            return null;
        try
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
            using HttpResponseMessage response = await _http.PostAsync(new Uri(new Uri(node.PeerAddress), path), content).ConfigureAwait(false);
            return response.IsSuccessStatusCode ? await response.Content.ReadAsByteArrayAsync().ConfigureAwait(false) : null;
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            return null;
        }
    }
}
