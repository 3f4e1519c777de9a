using System.Globalization;
using System.Text.Json;
using Spectre.Console;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Commands;

/// <summary>A job and the inside of its world, for people.</summary>
internal static class InspectionText
{
    public static void Write(JobDetail job, JsonElement? world, bool maps)
    {
        Table table = ClientOutput.NewTable("job", job.Id);
        table.AddRow("state", ClientOutput.State(job.State));
        table.AddRow("command", ClientOutput.Plain(job.Command));
        if (ClientOutput.Platform(job) is { Length: > 0 } platform)
            table.AddRow("os/arch", platform);
        if (job.WaitsFor is { } reason)
            table.AddRow("waits", ClientOutput.Plain(reason));
        foreach ((string name, string value) in job.Labels ?? new Dictionary<string, string>())
            table.AddRow("label", ClientOutput.Plain($"{name}={value}"));
        foreach (EventAnswer happened in job.Events)
            table.AddRow(happened.At.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture), ClientOutput.Plain($"{happened.Event} {happened.Detail}".TrimEnd()));
        ClientOutput.Write(table);
        if (world is not { } inside)
            return;
        ClientOutput.Write(new Markup($"world time {Number(inside, "worldSeconds"):0.000} s, {Number(inside, "instructions"):N0} instructions, {ClientOutput.Size(Number(inside, "memoryBytes"))} of memory\n"));
        foreach (JsonElement process in inside.GetProperty("processes").EnumerateArray())
            ClientOutput.Write(Render(process, maps));
    }

    private static Tree Render(JsonElement process, bool maps)
    {
        string command = process.TryGetProperty("command", out JsonElement words)
            ? string.Join(' ', words.EnumerateArray().Select(static word => word.GetString()))
            : Text(process, "name");
        var tree = new Tree($"[bold]{Number(process, "pid")}[/] {Text(process, "id")} {Text(process, "state")}{On(process)}, parent {Number(process, "parentPid")}: {ClientOutput.Plain(command)}");
        if (!process.TryGetProperty("threads", out JsonElement threads))
            return tree;
        foreach (JsonElement thread in threads.EnumerateArray())
        {
            string call = thread.TryGetProperty("call", out JsonElement inCall)
                ? $" in {inCall.GetString()}" + (thread.TryGetProperty("deadlineSeconds", out _) ? $", {ClientOutput.Span(TimeSpan.FromSeconds(Number(thread, "deadlineSeconds")))} to go" : "")
                : $" at {Text(thread, "counter")}";
            tree.AddNode(ClientOutput.Plain($"thread {Number(thread, "tid")} {Text(thread, "name")}: {Text(thread, "state")}{call}"));
        }
        foreach (JsonElement descriptor in process.GetProperty("descriptors").EnumerateArray())
            tree.AddNode(ClientOutput.Plain($"fd {Number(descriptor, "number")} {Text(descriptor, "access")} {Text(descriptor, "file")}"));
        foreach (JsonElement area in maps ? process.GetProperty("maps").EnumerateArray() : default)
            tree.AddNode(ClientOutput.Plain($"{Text(area, "start")}-{Text(area, "end")} {Text(area, "protection")} {Text(area, "name")}".TrimEnd()));
        return tree;
    }

    private static string On(JsonElement process) => process.TryGetProperty("system", out _) ? $", {Text(process, "system")}/{Text(process, "processor")}" : "";

    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) ? value.GetString() ?? "" : "";

    private static double Number(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) ? value.GetDouble() : 0;
}
