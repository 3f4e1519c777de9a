using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Vivarium.Actors.Storage;
using Vivarium.Nodes.Dashboard;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http.Contract;
using BadHttpRequestException = Microsoft.AspNetCore.Http.BadHttpRequestException;

namespace Vivarium.Nodes.Http;

/// <summary>The HTTP API of a node.</summary>
internal sealed class ApiServer : IAsyncDisposable
{
    private static readonly Caller Anybody = new("anybody", Access.None, null);
    private static readonly Caller LocalUser = new("local", Access.Admin, null);

    private readonly WebApplication _application;
    private readonly NodeServices _node;
    private readonly TokenFile? _tokens;
    private readonly PartitionedRateLimiter<string> _rates;

    private ApiServer(WebApplication application, NodeServices node, TokenFile? tokens)
    {
        _application = application;
        _node = node;
        _tokens = tokens;
        int rate = node.Settings.Rate;
        _rates = PartitionedRateLimiter.Create<string, string>(caller => RateLimitPartition.GetTokenBucketLimiter(caller, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = rate,
            TokensPerPeriod = Math.Max(1, rate / 10),
            ReplenishmentPeriod = TimeSpan.FromMilliseconds(rate >= 10 ? 100 : 1000 / rate),
            QueueLimit = 0,
            AutoReplenishment = true,
        }));
    }

    /// <summary>The first address that it listens at.</summary>
    public string Address => _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Starts listening; null when that is not possible, and why.</summary>
    public static async Task<(ApiServer? Server, string? Error)> Start(NodeServices node)
    {
        NodeSettings settings = node.Settings;
        TokenFile? tokens = null;
        string? error = null;
        if (settings.TokenFile.Length > 0 && (tokens = TokenFile.Open(settings.TokenFile, node.Report, out error)) is null)
            return (null, error);
        if (!TryLoadCertificate(settings, out X509Certificate2? certificate, out error))
            return (null, error);
        NodeSettings.TryEndPoint(settings.Listen, out IPEndPoint? listen);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            options.Limits.MaxRequestBodySize = (long)settings.MaxBody;
            options.Listen(listen!, endpoint =>
            {
                endpoint.Protocols = certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
                if (certificate is not null)
                    endpoint.UseHttps(certificate);
            });
        });
        if (certificate is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.AddRoutingCore();
        WebApplication application = builder.Build();
        var server = new ApiServer(application, node, tokens);
        server.Map();
        try
        {
            await application.StartAsync().ConfigureAwait(false);
            return (server, null);
        }
        catch (Exception failure) when (failure is IOException or System.Net.Sockets.SocketException)
        {
            await application.DisposeAsync().ConfigureAwait(false);
            return (null, $"api.listen: {failure.Message}");
        }
    }

    /// <summary>Lets requests under way finish for a while, and ends the others.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _application.StopAsync(patience.Token).ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
        await _rates.DisposeAsync().ConfigureAwait(false);
    }

    private static bool TryLoadCertificate(NodeSettings settings, out X509Certificate2? certificate, out string? error)
    {
        certificate = null;
        error = null;
        if (settings.Certificate.Length == 0)
            return true;
        try
        {
            certificate = X509Certificate2.CreateFromPemFile(settings.Certificate, settings.Key);
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            error = $"api.certificate: {failure.Message}";
            return false;
        }
    }

    private void Map()
    {
        _application.Use(Guard);
        _application.UseRouting();
        foreach (Route route in ApiRoutes.All)
            _application.MapMethods(ApiRoutes.Prefix + route.Pattern, [route.Method], context => Handle(context, route));
        foreach (Route route in NodeRoutes.Probes)
            _application.MapMethods(route.Pattern, [route.Method], context => Handle(context, route));
        foreach (string path in DashboardFiles.Paths)
            _application.MapMethods(path, ["GET", "HEAD"], DashboardFiles.Answer);
    }

    private async Task Handle(HttpContext context, Route route)
    {
        Caller caller = Identify(context, route.Access);
        string who = caller == LocalUser || caller == Anybody ? context.Connection.RemoteIpAddress?.ToString() ?? "" : caller.Name;
        using RateLimitLease lease = _rates.AttemptAcquire(who);
        if (!lease.IsAcquired && route.Access != Access.None)
        {
            context.Response.Headers.RetryAfter = "1";
            throw new ApiException(429, "Too many requests", $"a caller may make {_node.Settings.Rate} a second (api.rate)");
        }
        await route.Handle(new ApiCall(context, _node, caller)).ConfigureAwait(false);
    }

    /// <summary>Who calls, if it may.</summary>
    private Caller Identify(HttpContext context, Access needed)
    {
        if (needed == Access.None)
            return Anybody;
        if (_tokens is null)
            return CheckLocal(context);
        const string scheme = "Bearer ";
        string header = context.Request.Headers.Authorization.ToString();
        string? problem = null;
        Caller? caller = null;
        if (!header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
            problem = "this needs a token: Authorization: Bearer TOKEN";
        else if ((caller = _tokens.Find(header[scheme.Length..].Trim())) is null)
            problem = "nobody has this token";
        else if (caller.Expires <= DateTimeOffset.UtcNow)
            problem = $"the token expired at {caller.Expires:yyyy-MM-ddTHH:mm:ssZ}";
        if (problem is not null)
        {
            context.Response.Headers.WWWAuthenticate = caller is null && header.Length == 0 ? "Bearer" : "Bearer error=\"invalid_token\"";
            throw new ApiException(401, "Who are you?", problem);
        }
        return caller!.Access >= needed ? caller : throw new ApiException(403, "Not allowed", $"this needs a token with the access \"{needed.ToString().ToLowerInvariant()}\"");
    }

    /// <summary>
    /// Without tokens a node trusts its machine's users, and its own pages in their browsers. Not what other pages do there: those come
    /// with another origin (Fetch, 3.2; Fetch Metadata, 2.3), or under a name that was made to mean this machine (DNS rebinding).
    /// </summary>
    private static Caller CheckLocal(HttpContext context)
    {
        string host = context.Request.Host.Host;
        bool isLocal = host == "localhost" || IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address);
        if (!isLocal || IsForeign(context.Request))
            throw new ApiException(403, "Not allowed", "without tokens only programs of this machine are served, under the name localhost");
        return LocalUser;
    }

    private static bool IsForeign(HttpRequest request)
    {
        string origin = request.Headers.Origin.ToString(), site = request.Headers["Sec-Fetch-Site"].ToString();
        return (origin.Length > 0 && origin != $"{request.Scheme}://{request.Host.Value}") || site is "cross-site" or "same-site";
    }

    /// <summary>Turns what goes wrong into problems (RFC 9457).</summary>
    private async Task Guard(HttpContext context, RequestDelegate next)
    {
        // What guests wrote is never anything but what its type says.
        context.Response.Headers.XContentTypeOptions = "nosniff";
        try
        {
            await next(context).ConfigureAwait(false);
            if (context.Response is { HasStarted: false, StatusCode: 404 or 405, ContentType: null })
                await Tell(context, Unrouted(context)).ConfigureAwait(false);
        }
        catch (ApiException problem)
        {
            await Tell(context, problem.Problem).ConfigureAwait(false);
        }
        catch (StoreUnavailableException away)
        {
            await Tell(context, ApiException.Unavailable(away.Message).Problem).ConfigureAwait(false);
        }
        catch (BadHttpRequestException wrong)
        {
            await Tell(context, new ApiException(wrong.StatusCode, "Bad request", wrong.StatusCode == 413 ? $"a body may have {_node.Settings.MaxBody} bytes (api.max-body)" : wrong.Message).Problem).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller has gone.
        }
        catch (Exception bug)
        {
            string report = BugReport.Describe(bug);
            _node.Report(report);
            await Tell(context, new Problem { Title = "Vivarium failed", Status = 500, Detail = report }).ConfigureAwait(false);
        }
    }

    private static Problem Unrouted(HttpContext context) => new()
    {
        Title = context.Response.StatusCode == 405 ? "Not here in this way" : "Not found",
        Status = context.Response.StatusCode,
        Detail = $"there is no {context.Request.Method} {context.Request.Path}; {ApiRoutes.Prefix}/openapi.json lists what there is",
    };

    private static Task Tell(HttpContext context, Problem problem)
    {
        if (context.Response.HasStarted)
        {
            // Too late for a status: a broken connection tells that it did not end well.
            context.Abort();
            return Task.CompletedTask;
        }
        context.Response.StatusCode = problem.Status;
        return context.Response.WriteAsJsonAsync(problem, ApiJson.Default.Problem, "application/problem+json");
    }
}
