using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>Tells <see cref="FileAlertGroup"/>s what happens to files, and asks those that want to be asked.</summary>
public static class FileAlerts
{
    internal static void OnFile(PathEntry path, FileChange change)
    {
        foreach (FileAlertGroup group in GroupsOf(path.Inode))
            group.Tell(change, path.Inode, path, group.Actor);
    }

    internal static void OnInode(Inode inode, FileChange change)
    {
        foreach (FileAlertGroup group in GroupsOf(inode))
            group.Tell(inode.Kind == FileKind.Directory ? change | FileChange.IsDirectory : change, inode, null, group.Actor);
    }

    internal static void OnName(Dentry directory, FileChange change, byte[] name, Inode? named)
    {
        foreach (FileAlertGroup group in GroupsOf(directory.Inode!))
            group.TellName(change, directory, name, named, group.Actor);
    }

    internal static void OnRename(Dentry from, byte[] oldName, Dentry to, byte[] newName, Inode moved)
    {
        foreach (FileAlertGroup group in GroupsOf(from.Inode!))
            group.TellRename(from, oldName, to, newName, moved, group.Actor);
    }

    private static FileAlertGroup[] GroupsOf(Inode inode) => inode.FileSystem is { AlertGroups: { Count: > 0 } groups } ? [.. groups] : [];

    /// <summary>Somebody wants to be asked about files of the inode's file system.</summary>
    internal static bool MayBeAsked(Inode inode) => inode.FileSystem is { AlertGroups: { Count: > 0 } groups } && groups[0].Priority > 0;

    /// <summary>
    /// May a call go on with a file? EAGAIN with a source to wait for added to the call: somebody is asked, and the call runs again with the answer. EPERM: it may not.
    /// </summary>
    public static Errno Ask(CallContext? call, PathEntry path, FileChange what)
    {
        // An answer counts also when who gave it is gone.
        if (call is null || (call.State is not Answers && !MayBeAsked(path.Inode)) || path.Inode.Kind is not (FileKind.Regular or FileKind.Directory))
            return Errno.None;
        if (call.State is not null and not Answers)
            return Errno.None;
        var answers = (Answers?)call.State ?? new Answers();
        if (!answers.Known.TryGetValue((path.Inode, what), out AlertQuestion? question))
        {
            question = new AlertQuestion();
            bool isAsked = false;
            foreach (FileAlertGroup group in GroupsOf(path.Inode))
                isAsked |= group.Priority > 0 && group.Ask(what, path, question, call.Thread);
            if (!isAsked)
                return Errno.None;
            answers.Known[(path.Inode, what)] = question;
            call.State = answers;
        }
        if (question.Open <= 0)
            return question.IsDenied ? Errno.EPERM : Errno.None;
        call.AddSource(question.Answered);
        return Errno.EAGAIN;
    }

    /// <summary>What a call has asked so far; it runs again with this.</summary>
    private sealed class Answers
    {
        public Dictionary<(Inode, FileChange), AlertQuestion> Known { get; } = [];
    }
}
