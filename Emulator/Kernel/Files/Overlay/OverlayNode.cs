using System.Text;

namespace Vivarium.Emulator.Kernel.Files.Overlay;

/// <summary>A name in one of the layers below the upper one, counted from above.</summary>
internal readonly record struct LowerName(Dentry Name, int Layer);

/// <summary>
/// A file or directory of an overlay: the upper layer's, or the uppermost of those below until it is changed; a directory shows all layers' names.
/// </summary>
internal sealed partial class OverlayNode : Inode
{
    private const string PrivatePrefix = "trusted.overlay.";
    private const string EscapedPrefix = "trusted.overlay.overlay.";

    private readonly OverlayFileSystem _owner;
    private readonly ulong _number;
    private Dentry? _upper;
    private LowerName[] _lowers;
    private OverlayNode? _parent;
    private byte[] _name;
    private bool _isGone;

    /// <param name="name">In <paramref name="parent"/>, where it is copied up to.</param>
    /// <param name="lowers">What shows from below: of directories all, of others one at most.</param>
    internal OverlayNode(OverlayFileSystem owner, OverlayNode? parent, byte[] name, Dentry? upper, LowerName[] lowers)
    {
        _owner = owner;
        _parent = parent;
        _name = name;
        _upper = upper;
        _lowers = lowers;
        Kind = Real.Kind;
        _number = owner.NumberOf(Real);
    }

    public override FileKind Kind { get; }

    public override FileSystem FileSystem => _owner;

    internal override Inode Below => Real;

    private Inode Real => (_upper ?? _lowers[0].Name).Inode!;

    private bool IsMerged => Kind == FileKind.Directory && _lowers.Length + (_upper is null ? 0 : 1) > 1;

    public override FileStatus Status
    {
        get
        {
            FileStatus status = Real.Status;
            status.Device = _owner.Device;
            status.Inode = _number;
            // Nobody counts the sub-directories of several layers (ovl_getattr).
            status.Links = _isGone ? 0 : IsMerged ? 1 : status.Links;
            return status;
        }
    }

    public override Errno SetAttributes(in AttributeChange change)
    {
        Errno error = CopyUp(change.Size ?? long.MaxValue);
        return error != Errno.None ? error : Real.SetAttributes(change);
    }

    public override Errno ReadLink(CallContext? call, out byte[]? target) => Real.ReadLink(call, out target);

    public override AccessList? AccessList => Real.AccessList;

    public override AccessList? DefaultAccessList => Real.DefaultAccessList;

    public override Errno SetAccessList(AccessList? list, bool isDefault)
    {
        Errno error = CopyUp();
        return error != Errno.None ? error : Real.SetAccessList(list, isDefault);
    }

    public override void Accessed() => _upper?.Inode!.Accessed();

    public override Errno Synchronize() => Real.Synchronize();

    public override Errno GetAttribute(ReadOnlySpan<byte> name, out byte[]? value)
    {
        return Real.GetAttribute(Escape(name), out value);
    }

    public override Errno SetAttribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool create, bool replace)
    {
        Errno error = CopyUp();
        return error != Errno.None ? error : Real.SetAttribute(Escape(name), value, create, replace);
    }

    public override Errno RemoveAttribute(ReadOnlySpan<byte> name)
    {
        Errno error = Real.GetAttribute(Escape(name), out _);
        if (error == Errno.None)
            error = CopyUp();
        return error != Errno.None ? error : Real.RemoveAttribute(Escape(name));
    }

    /// <summary>What the overlay keeps for itself is not shown.</summary>
    public override Errno ListAttributes(out byte[] names)
    {
        Errno error = Real.ListAttributes(out names);
        List<byte> shown = [];
        foreach (byte[] name in Split(names))
        {
            if (!IsPrivate(name))
                shown.AddRange([.. name, 0]);
            else if (name.AsSpan().StartsWith(Encoding.ASCII.GetBytes(EscapedPrefix)))
                shown.AddRange([.. Encoding.ASCII.GetBytes(PrivatePrefix), .. name.AsSpan(EscapedPrefix.Length), 0]);
        }
        names = [.. shown];
        return error;
    }

    /// <summary>An overlay's own attributes, asked for through the overlay, belong to one that lies on it: they are kept under longer names.</summary>
    private static byte[] Escape(ReadOnlySpan<byte> name) =>
        IsPrivate(name) ? [.. Encoding.ASCII.GetBytes(EscapedPrefix), .. name[PrivatePrefix.Length..]] : name.ToArray();

    private static bool IsPrivate(ReadOnlySpan<byte> name) => name.StartsWith(Encoding.ASCII.GetBytes(PrivatePrefix));

    private static List<byte[]> Split(ReadOnlySpan<byte> names)
    {
        List<byte[]> all = [];
        for (int end; (end = names.IndexOf((byte)0)) >= 0; names = names[(end + 1)..])
            all.Add(names[..end].ToArray());
        return all;
    }
}
