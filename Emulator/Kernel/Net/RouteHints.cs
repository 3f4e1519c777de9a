namespace Vivarium.Emulator.Kernel.Net;

/// <summary>What programs say of a route beside its MTU: it is kept and told, and nothing follows from it here.</summary>
/// <param name="Values">By <see cref="RouteHint"/>.</param>
/// <param name="Locked">A bit for each that is not to change by itself, the MTU's the lowest.</param>
public sealed record RouteHints(IReadOnlyList<ulong> Values, ulong Locked);

/// <summary>In the order of the bits of route(4)'s RTV_, in which the MTU is the first.</summary>
public enum RouteHint
{
    HopCount = 1,
    Expiry,
    ReceivePipe,
    SendPipe,
    SlowStartThreshold,
    RoundTrip,
    RoundTripVariance,
    Weight,
    Count,
}
