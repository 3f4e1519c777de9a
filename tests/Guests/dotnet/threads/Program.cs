// Threads, tasks, timers, exceptions from hardware faults, garbage collection, files, child processes, signals.
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

Console.WriteLine(Parallel.For(0, 1000, _ => { }).IsCompleted);
int total = 0;
Thread[] threads = [.. Enumerable.Range(0, 8).Select(i => new Thread(() => Interlocked.Add(ref total, i)))];
foreach (Thread thread in threads)
    thread.Start();
foreach (Thread thread in threads)
    thread.Join();
Console.WriteLine(total);

var results = new ConcurrentBag<int>();
await Task.WhenAll(Enumerable.Range(0, 50).Select(async i => { await Task.Delay(i % 5); results.Add(i); }));
Console.WriteLine(results.Sum());

object? none = Environment.GetEnvironmentVariable("NO_SUCH_VARIABLE");
for (int i = 0; i < 3; i++)
{
    try { Console.WriteLine(none!.GetHashCode()); }
    catch (NullReferenceException e) { Console.WriteLine(e.GetType().Name); }
    int zero = none is null ? 0 : 1;
    try { Console.WriteLine(5 / zero); }
    catch (DivideByZeroException e) { Console.WriteLine(e.GetType().Name); }
}

var lists = new List<byte[]>();
for (int i = 0; i < 2000; i++)
{
    lists.Add(new byte[10_000]);
    if (lists.Count > 100)
        lists.Clear();
}
GC.Collect();
Console.WriteLine(GC.CollectionCount(2) > 0);

await File.WriteAllTextAsync("file", string.Join('\n', Enumerable.Range(0, 1000)));
Console.WriteLine(File.ReadLines("file").Count() + " " + new FileInfo("file").Length);
File.Delete("file");
try { File.ReadAllText("missing"); }
catch (FileNotFoundException e) { Console.WriteLine(e.GetType().Name); }

using var child = Process.Start(new ProcessStartInfo("sh", ["-c", "cat; exit 3"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
child.StandardInput.Write("through a child");
child.StandardInput.Close();
Console.WriteLine(child.StandardOutput.ReadToEnd());
child.WaitForExit();
Console.WriteLine(child.ExitCode);

using var caught = new SemaphoreSlim(0);
using var registration = PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => caught.Release());
using var killer = Process.Start("kill", ["-CONT", Environment.ProcessId.ToString()]);
Console.WriteLine(await caught.WaitAsync(TimeSpan.FromSeconds(30)));
throw new InvalidOperationException("unhandled, at the end");
