using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>Generic netlink: only its own controller is there, which says so.</summary>
internal sealed class GenericProtocol : INetlinkProtocol
{
    private const ushort Controller = 16;
    private const byte GetFamily = 3, NewFamily = 1;
    private const ushort IdAttribute = 1, NameAttribute = 2, VersionAttribute = 3, HeaderAttribute = 4, LargestAttribute = 5;

    public static GenericProtocol Instance { get; } = new();

    public Errno Handle(CallContext call, Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        const int header = 4;
        if (request.Type != Controller)
            return Errno.ENOENT;
        if (request.Body.Length < header || request.Body[0] != GetFamily)
            return Errno.EOPNOTSUPP;
        NetlinkAttributes attributes = request.Attributes(header);
        bool isAsked = request.IsDump || attributes.Text(NameAttribute) == "nlctrl" || attributes.Value<ushort>(IdAttribute) == Controller;
        if (!isAsked)
            return Errno.ENOENT;
        reply.Add(request.Answer(Controller, request.IsDump).Put((ReadOnlySpan<byte>)[NewFamily, 2, 0, 0])
            .Attribute(NameAttribute, "nlctrl").Attribute(IdAttribute, Controller).Attribute(VersionAttribute, 2).Attribute(HeaderAttribute, 0).Attribute(LargestAttribute, 10));
        return Errno.None;
    }
}
