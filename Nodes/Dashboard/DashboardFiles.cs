using System.Collections.Concurrent;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace Vivarium.Nodes.Dashboard;

/// <summary>
/// The pages that every node serves, from the assembly: plain modules and styles, nothing from elsewhere. They hold no secrets and need no
/// token; what they show they ask of the API, as whoever looks at them.
/// </summary>
internal static class DashboardFiles
{
    private const string Prefix = "dashboard/";
    private const string Index = "index.html";

    /// <summary>
    /// Only this node's own files run, and no text can become a script or markup: guests' output, names and arguments are hostile
    /// (Content Security Policy Level 3; Trusted Types).
    /// </summary>
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    private static readonly ConcurrentDictionary<string, (byte[] Bytes, string Tag)> Loaded = new(StringComparer.Ordinal);

    /// <summary>Where they are served.</summary>
    public static IEnumerable<string> Paths =>
        ["/", .. Names().Where(static name => name != Index).Select(static name => "/" + Prefix + name)];

    /// <summary>Answers with the file that the path names.</summary>
    public static async Task Answer(HttpContext context)
    {
        string path = context.Request.Path.Value!;
        string name = path == "/" ? Index : path[(Prefix.Length + 1)..];
        (byte[] bytes, string tag) = Loaded.GetOrAdd(name, Load);
        HttpResponse response = context.Response;
        response.Headers.ContentSecurityPolicy = Policy;
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        // Asked for again each time, and answered with nothing while it is the same: a node that was updated shows its own pages.
        response.Headers.CacheControl = "no-cache";
        response.Headers.ETag = tag;
        if (context.Request.Headers.IfNoneMatch == tag)
        {
            response.StatusCode = 304;
            return;
        }
        response.ContentType = TypeOf(name);
        response.ContentLength = bytes.Length;
        if (HttpMethods.IsGet(context.Request.Method))
            await response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
    }

    private static IEnumerable<string> Names() => Assembly.GetExecutingAssembly().GetManifestResourceNames()
        .Where(static name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .Select(static name => name[Prefix.Length..]);

    private static (byte[] Bytes, string Tag) Load(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Prefix + name)!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return (bytes, $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes)[..12])}\"");
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".svg" => "image/svg+xml",
        _ => "application/octet-stream",
    };
}
