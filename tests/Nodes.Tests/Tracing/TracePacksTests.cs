using Vivarium.Nodes.Tracing;
using Xunit;

namespace Vivarium.Nodes.Tests.Tracing;

public sealed class TracePacksTests : IDisposable
{
    private const long Room = 1 << 16;

    private readonly string _folder = Directory.CreateTempSubdirectory("viv-packs-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_trace_is_found_also_by_the_next_process()
    {
        Guid one = Guid.NewGuid(), two = Guid.NewGuid();
        using (var packs = new TracePacks(_folder, Room))
        {
            packs.Append(one, "first"u8, 1);
            packs.Append(two, [], 2);
            packs.Append(one, "again"u8, 3);
            Assert.Equal("again"u8.ToArray(), packs.Read(one)!);
            Assert.Null(packs.Read(Guid.NewGuid()));
        }
        using var next = new TracePacks(_folder, Room);
        Assert.Equal("again"u8.ToArray(), next.Read(one)!);
        Assert.Equal(3, next.WrittenAt(one));
        Assert.Equal([], next.Read(two)!);
        next.Append(two, "new"u8, 4);
        Assert.Equal("new"u8.ToArray(), next.Read(two)!);
    }

    [Fact]
    public void Attempts_are_kept_beside_each_other_and_packs_of_before_there_were_any_are_read()
    {
        Guid job = Guid.NewGuid(), old = Guid.NewGuid();
        // A head without an attempt: mark, job, time, length.
        Directory.CreateDirectory(_folder);
        File.WriteAllBytes(
            Path.Combine(_folder, "000000000001.traces"),
            [.. "VTRC"u8, .. old.ToByteArray(), .. BitConverter.GetBytes(7L), .. BitConverter.GetBytes(3), .. "old"u8]);
        using (var packs = new TracePacks(_folder, Room))
        {
            packs.Append(job, "first"u8, 8, 1);
            packs.Append(job, "third"u8, 9, 3);
            packs.Append(job, "first again"u8, 10, 1);
        }
        using var next = new TracePacks(_folder, Room);
        Assert.Equal(["third", "first again", null, "third"], ((int[])[0, 1, 2, 3]).Select(attempt => Text(next, job, attempt)));
        Assert.Equal(["old", "old", null], ((int[])[0, 1, 2]).Select(attempt => Text(next, old, attempt)));
        Assert.Equal((7, 10), (next.WrittenAt(old), next.WrittenAt(job, 1)));
        next.RemoveOlder(10);
        Assert.Equal([null, "first again", null, null], ((int[])[0, 1, 2, 3]).Select(attempt => Text(next, job, attempt)));
    }

    private static string? Text(TracePacks packs, Guid job, int attempt) => packs.Read(job, attempt) is { } trace ? System.Text.Encoding.UTF8.GetString(trace) : null;

    [Fact]
    public void What_was_cut_off_is_not_there_and_hides_nothing()
    {
        Guid whole = Guid.NewGuid(), cut = Guid.NewGuid();
        using (var packs = new TracePacks(_folder, Room))
        {
            packs.Append(whole, new byte[100], 1);
            packs.Append(cut, new byte[100], 2);
        }
        string file = Directory.GetFiles(_folder).Single();
        using (FileStream stream = File.OpenWrite(file))
            stream.SetLength(stream.Length - 1);
        using var next = new TracePacks(_folder, Room);
        Assert.Equal(100, next.Read(whole)!.Length);
        Assert.Null(next.Read(cut));
        next.Append(cut, new byte[50], 3);
        Assert.Equal(50, next.Read(cut)!.Length);
        Assert.Equal(2, Directory.GetFiles(_folder).Length);
    }

    [Fact]
    public void What_is_old_is_removed()
    {
        Guid[] jobs = [.. Enumerable.Range(0, 100).Select(static _ => Guid.NewGuid())];
        using var packs = new TracePacks(_folder, Room);
        for (int i = 0; i < jobs.Length; i++)
            packs.Append(jobs[i], new byte[500], i);
        packs.Append(jobs[0], "again"u8, 100);
        int before = Directory.GetFiles(_folder).Length;
        packs.RemoveOlder(50);
        Assert.All(jobs[1..50], job => Assert.Null(packs.Read(job)));
        Assert.All(jobs[50..], job => Assert.Equal(500, packs.Read(job)!.Length));
        Assert.Equal("again"u8.ToArray(), packs.Read(jobs[0])!);
        Assert.InRange(Directory.GetFiles(_folder).Length, 1, before - 1);
        packs.RemoveOlder(1000);
        Assert.Empty(Directory.GetFiles(_folder));
        packs.Append(jobs[0], "new"u8, 1001);
        Assert.Equal("new"u8.ToArray(), packs.Read(jobs[0])!);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData((int)Room * 2)]
    public void The_oldest_make_room(int size)
    {
        Guid[] jobs = [.. Enumerable.Range(0, 300).Select(static _ => Guid.NewGuid())];
        using var packs = new TracePacks(_folder, Room);
        foreach (Guid job in jobs)
            packs.Append(job, new byte[size], 0);
        int found = jobs.Reverse().TakeWhile(job => packs.Read(job)?.Length == size).Count();
        Assert.InRange(found, 1, (int)Math.Max(1, Room / size));
        Assert.All(jobs[..^found], job => Assert.Null(packs.Read(job)));
        Assert.InRange(new DirectoryInfo(_folder).EnumerateFiles().Sum(static file => file.Length), size, Math.Max(Room, size + 100));
    }
}
