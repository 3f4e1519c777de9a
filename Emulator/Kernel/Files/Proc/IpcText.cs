using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Ipc;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/sysvipc: the System V objects of the reader's name space, by id (sysvipc_proc_show of ipc/).</summary>
internal static class IpcText
{
    public static string Segments(Namespaces spaces)
    {
        StringBuilder text = new("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n");
        foreach (SharedSegment one in spaces.Ipc.Segments.All)
        {
            uint mode = one.Mode | (one.IsDoomed ? 0x200u : 0) | (one.IsLocked ? 0x400u : 0);
            ulong resident = (ulong)one.Pages.Kept;
            text.Append(CultureInfo.InvariantCulture,
                $"{one.Key,10} {one.Id,10}  {Octal(mode),4} {one.Size,21} {Number(spaces, one.Creator),5} {Number(spaces, one.LastProcess),5}  {one.Attachments,5} {one.User,5} {one.Group,5} {one.CreatorUser,5} {one.CreatorGroup,5} {one.AttachTime,10} {one.DetachTime,10} {one.ChangeTime,10} {resident,21} {0,21}\n");
        }
        return text.ToString();
    }

    public static string Semaphores(Namespaces spaces)
    {
        StringBuilder text = new("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
        foreach (SemaphoreSet one in spaces.Ipc.Semaphores.All)
        {
            text.Append(CultureInfo.InvariantCulture,
                $"{one.Key,10} {one.Id,10}  {Octal(one.Mode),4} {one.Count,10} {one.User,5} {one.Group,5} {one.CreatorUser,5} {one.CreatorGroup,5} {one.OperationTime,10} {one.ChangeTime,10}\n");
        }
        return text.ToString();
    }

    public static string Channels(Namespaces spaces)
    {
        StringBuilder text = new("       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n");
        foreach (MessageChannel one in spaces.Ipc.Channels.All)
        {
            text.Append(CultureInfo.InvariantCulture,
                $"{one.Key,10} {one.Id,10}  {Octal(one.Mode),4}  {one.Bytes,10} {one.Count,10} {Number(spaces, one.LastSender),5} {Number(spaces, one.LastReceiver),5} {one.User,5} {one.Group,5} {one.CreatorUser,5} {one.CreatorGroup,5} {one.SendTime,10} {one.ReceiveTime,10} {one.ChangeTime,10}\n");
        }
        return text.ToString();
    }

    private static string Octal(uint mode) => Convert.ToString(mode, 8);

    private static int Number(Namespaces spaces, KeptId? process) => process?.In(spaces.Processes) ?? 0;
}
