using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Xunit;

namespace Vivarium.Nodes.Tests.Http;

/// <summary>The API over TLS, with a certificate that the settings name by its path.</summary>
public sealed class TlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("viv-tls-").FullName;

    private string Certificate => Path.Combine(_folder, "node.pem");

    private string Key => Path.Combine(_folder, "node.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_certificate_of_the_settings_is_shown_and_plain_http_is_not_answered()
    {
        using X509Certificate2 certificate = WriteCertificate();
        var node = new ApiNode(("api.certificate", Certificate), ("api.key", Key));
        await node.InitializeAsync();
        Assert.StartsWith("https://", node.Address);
        using var trusting = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, shown, _, _) => shown!.Thumbprint == certificate.Thumbprint });
        Assert.Equal("alive\n", await trusting.GetStringAsync(node.Address + "/healthz"));
        using var http2 = new HttpRequestMessage(HttpMethod.Get, node.Address + "/api/v1/jobs") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        Assert.Equal(HttpStatusCode.OK, (await trusting.SendAsync(http2)).StatusCode);
        // Nobody else's word makes it a certificate to be trusted.
        HttpRequestException refused = await Assert.ThrowsAsync<HttpRequestException>(() => node.Http.GetStringAsync(node.Address + "/healthz"));
        Assert.IsType<AuthenticationException>(refused.InnerException);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => trusting.GetStringAsync(node.Address.Replace("https:", "http:", StringComparison.Ordinal) + "/healthz"));
        await node.DisposeAsync();
    }

    [Fact]
    public void A_command_trusts_the_authority_that_SSL_CERT_FILE_names()
    {
        using X509Certificate2 certificate = WriteCertificate();
        using var node = Viv.Start("node", "--listen", "127.0.0.1:0", "--store", "memory", "--node-data", Path.Combine(_folder, "data"), "--api-certificate", Certificate, "--api-key", Key);
        string address = node.StandardError.ReadLine()!.Split(" serves ")[1];
        Outcome refused = Viv.Run("ps", "--node", address);
        Assert.Equal(75, refused.ExitCode);
        Assert.Contains("cannot reach a node", refused.Error);
        var start = new System.Diagnostics.ProcessStartInfo(Path.Combine(Viv.Root, "viv"), ["submit", "--node", address, "--wait", "--", "/bin/echo", "over TLS"])
        {
            WorkingDirectory = Viv.Root,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["SSL_CERT_FILE"] = Certificate },
        };
        Outcome outcome = Viv.Finish(System.Diagnostics.Process.Start(start)!, []);
        node.Kill();
        node.WaitForExit();
        Assert.Equal((0, "over TLS\n", ""), (outcome.ExitCode, outcome.Text, outcome.Error));
    }

    [Fact]
    public void A_certificate_that_cannot_be_used_is_named()
    {
        File.WriteAllText(Certificate, "no certificate");
        File.WriteAllText(Key, "no key");
        Outcome outcome = Viv.Run("node", "--listen", "127.0.0.1:0", "--store", "memory", "--node-data", Path.Combine(_folder, "data"), "--api-certificate", Certificate, "--api-key", Key);
        Assert.Equal(125, outcome.ExitCode);
        Assert.Contains("api.certificate: ", outcome.Error);
    }

    private X509Certificate2 WriteCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(Certificate, certificate.ExportCertificatePem());
        File.WriteAllText(Key, key.ExportPkcs8PrivateKeyPem());
        return certificate;
    }
}
