using System.Net;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>
/// An error that came back for something that was sent, kept for whoever asks (ip(7), IP_RECVERR): what it was about, who told it, and the message's
/// type and code. <paramref name="Payload"/> is what the message quotes of the datagram's bytes.
/// </summary>
public sealed record ReturnedError(Errno Error, InternetAddress Destination, IPAddress Teller, byte Type, byte Code, uint Information, byte[] Payload);
