using System.Runtime.InteropServices;
using Vivarium.Emulator.Memory.Host;
using Vivarium.Nodes.Native;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// One of this process's standard descriptors. Nothing is buffered: a guest's read takes from the descriptor what it asked
/// for and no more, a guest's write is one. When the descriptor is not ready a watcher thread waits for it and tells the world.
/// </summary>
internal abstract class HostStream(int descriptor, short readiness)
{
    private readonly Lock _lock = new();
    private SemaphoreSlim? _watch;
    private bool _isWatching;

    public int Descriptor { get; } = descriptor;

    public bool IsTerminal { get; } = Libc.IsATty(descriptor) == 1;

    /// <summary>Called on the watcher's thread when the descriptor became ready.</summary>
    protected abstract void OnReady();

    /// <summary>True when an operation would not block, which includes end of file and errors.</summary>
    protected bool IsReady() => Poll(0);

    /// <summary>Arranges for <see cref="OnReady"/> to be called once the descriptor is ready.</summary>
    protected void Watch()
    {
        lock (_lock)
        {
            if (_isWatching)
                return;
            _isWatching = true;
            if (_watch is null)
            {
                _watch = new SemaphoreSlim(0);
                var thread = new Thread(WatchLoop, 64 * 1024) { IsBackground = true, Name = $"stream {Descriptor}" };
                thread.Start(_watch);
            }
            _watch.Release();
        }
    }

    /// <summary>Waits for at most so many milliseconds; false when nothing came of it.</summary>
    public bool WaitUntilReady(int milliseconds) => Poll(milliseconds);

    protected static bool IsRetry(int error) => error is Libc.Eintr or Libc.Eagain;

    private void WatchLoop(object? semaphore)
    {
        var wanted = (SemaphoreSlim)semaphore!;
        while (true)
        {
            wanted.Wait();
            while (!Poll(-1))
            {
                // Interrupted by a signal.
            }
            lock (_lock)
                _isWatching = false;
            OnReady();
        }
    }

    private bool Poll(int timeout)
    {
        var entry = new PollEntry { Descriptor = Descriptor, Events = readiness };
        return HostDescriptors.Poll(ref entry, 1, timeout) > 0;
    }
}
