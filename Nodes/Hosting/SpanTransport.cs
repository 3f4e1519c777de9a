using OpenTelemetry.Exporter;

namespace Vivarium.Nodes.Hosting;

/// <summary>The transport of spans: the library drops what it cannot send and says so to nobody, so failures are noted here.</summary>
internal static class SpanTransport
{
    public static void Watched(OtlpExporterOptions options, Action failed) =>
        options.HttpClientFactory = () => new HttpClient(new Watch(failed)) { Timeout = TimeSpan.FromMilliseconds(options.TimeoutMilliseconds) };

    /// <summary>Tells when a request fails or is refused.</summary>
    private sealed class Watch(Action failed) : DelegatingHandler(new HttpClientHandler())
    {
        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            bool isSent = false;
            try
            {
                HttpResponseMessage response = base.Send(request, cancellationToken);
                isSent = response.IsSuccessStatusCode;
                return response;
            }
            finally
            {
                if (!isSent)
                    failed();
            }
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            bool isSent = false;
            try
            {
                HttpResponseMessage response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
                isSent = response.IsSuccessStatusCode;
                return response;
            }
            finally
            {
                if (!isSent)
                    failed();
            }
        }
    }
}
