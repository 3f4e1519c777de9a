using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Vivarium.Actors.Storage;
using Vivarium.Nodes.Hosting;

namespace Vivarium.Nodes.Cluster;

/// <summary>How nodes know each other: each shows a certificate that the cluster's own authority signed, and trusts no other.</summary>
internal sealed class PeerIdentity
{
    private readonly X509Certificate2Collection _authority;

    private PeerIdentity(X509Certificate2 certificate, X509Certificate2Collection authority)
    {
        Certificate = certificate;
        _authority = authority;
    }

    public X509Certificate2 Certificate { get; }

    /// <summary>The identity that the settings name; null for a node without peers.</summary>
    /// <exception cref="StoreRefusedException">Its files cannot be read.</exception>
    public static PeerIdentity? Load(NodeSettings settings)
    {
        if (settings.PeerListen.Length == 0)
            return null;
        try
        {
            var authority = new X509Certificate2Collection();
            authority.ImportFromPemFile(settings.PeerAuthority);
            return new PeerIdentity(X509Certificate2.CreateFromPemFile(settings.PeerCertificate, settings.PeerKey), authority);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new StoreRefusedException($"peer.certificate, peer.key, peer.authority: {failure.Message}");
        }
    }

    /// <summary>True for a certificate of the cluster's authority that is valid now, whatever name it has.</summary>
    public bool Trusts(X509Certificate? certificate)
    {
        if (certificate is not X509Certificate2 shown)
            return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(shown);
    }

    /// <summary>For a client, which knows the server by its host name too.</summary>
    public bool Trusts(X509Certificate? certificate, SslPolicyErrors errors) =>
        (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) == SslPolicyErrors.None && Trusts(certificate);
}
