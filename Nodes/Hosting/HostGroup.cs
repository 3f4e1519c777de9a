using System.Globalization;

namespace Vivarium.Nodes.Hosting;

/// <summary>This process's group on the host.</summary>
internal static class HostGroup
{
    /// <summary>
    /// True when no shell is there to continue the group once it is stopped: the first ancestor outside of it is of another session
    /// (POSIX.1, 3.265 "orphaned process group"; members that are no ancestors are not looked at).
    /// </summary>
    public static bool IsOrphaned()
    {
        if (Read(Environment.ProcessId) is not { } own)
            return false;
        for (int ancestor = own.Parent; Read(ancestor) is { } status; ancestor = status.Parent)
        {
            if (status.Session != own.Session)
                return true;
            if (status.Group != own.Group)
                return false;
        }
        return true;
    }

    /// <summary>Parent, group and session of a process (proc(5), /proc/PID/stat); null when there is none.</summary>
    private static (int Parent, int Group, int Session)? Read(int process)
    {
        const int parent = 1, group = 2, session = 3;
        try
        {
            string text = File.ReadAllText($"/proc/{process}/stat");
            // The name before may hold blanks and parentheses.
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (Number(fields[parent]), Number(fields[group]), Number(fields[session]));
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static int Number(string field) => int.Parse(field, CultureInfo.InvariantCulture);
}
