using Vivarium.Emulator.Kernel;

namespace Vivarium.Actors.Execution;

/// <summary>Something a worker runs a quantum at a time.</summary>
public interface IWork
{
    RunState Run(long quantum);
}

/// <summary>What workers did.</summary>
/// <param name="Runnable">Runs that wait for a turn now.</param>
/// <param name="Switches">Turns that were another run's than the one before.</param>
/// <param name="Busy">Nanoseconds of turns, of all threads together.</param>
public readonly record struct WorkerStatistics(int Runnable, long Turns, long Switches, long Busy);

/// <summary>
/// Shares a few host threads among many runs (design decision 1): a worker takes the run that waited longest, runs it for a
/// quantum, and puts it back, to sleep, or away. A sleeping run costs no thread. The threads themselves are handed in: each calls
/// <see cref="Work"/>.
/// </summary>
public sealed class WorkerPool(IClock clock, long quantum)
{
    private readonly object _gate = new();
    private readonly Queue<Ticket> _ready = [];

    /// <summary>Sleepers by the time they wake. A ticket woken early leaves its entry behind, recognised by its other wake time.</summary>
    private PriorityQueue<Ticket, long>? _sleeping;
    private bool _stopped;

    private long _turns, _switches, _busy;
    private Ticket? _last;

    /// <summary>What was done so far.</summary>
    public WorkerStatistics Statistics
    {
        get
        {
            lock (_gate)
                return new WorkerStatistics(_ready.Count, _turns, _switches, _busy);
        }
    }

    /// <summary>A turn of work, and what becomes of it.</summary>
    private void RunTurn(Ticket ticket)
    {
        long start = clock.Monotonic;
        RunState state = ticket.Work.Run(quantum);
        long end = clock.Monotonic;
        lock (_gate)
        {
            _turns++;
            _switches += ReferenceEquals(_last, ticket) ? 0 : 1;
            _last = state.IsDone ? null : ticket;
            _busy += end - start;
            PutBack(ticket, state);
        }
    }

    /// <summary>Makes work known; it waits until it is woken.</summary>
    public Ticket Add(IWork work) => new(this, work);

    /// <summary>Runs work on the calling thread until <see cref="Stop"/>.</summary>
    public void Work()
    {
        while (Take() is { } ticket)
            RunTurn(ticket);
    }

    /// <summary>Runs what is ready on the calling thread until nothing is.</summary>
    public void WorkReady()
    {
        while (Take(waits: false) is { } ticket)
            RunTurn(ticket);
    }

    /// <summary>
    /// Runs work on the calling thread until the task has completed or <see cref="Stop"/>: who waits for work does it, rather than wake
    /// another thread and sleep.
    /// </summary>
    public void WorkUntil(Task task)
    {
        while (Take(waits: true, task) is { } ticket)
            RunTurn(ticket);
    }

    /// <summary>Lets every <see cref="Work"/> return after the quantum under way.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopped = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <param name="until">Takes nothing more once it has completed.</param>
    private Ticket? Take(bool waits = true, Task? until = null)
    {
        bool isWatched = until is null;
        lock (_gate)
        {
            while (!_stopped && until is not { IsCompleted: true })
            {
                int wait = WakeSleepers();
                if (_ready.TryDequeue(out Ticket? ticket))
                {
                    ticket.State = TicketState.Running;
                    return ticket;
                }
                if (!waits)
                    return null;
                if (isWatched)
                    Monitor.Wait(_gate, wait);
                else
                    until!.ContinueWith(static (_, pool) => ((WorkerPool)pool!).WakeAll(), this, TaskScheduler.Default);
                // It may have completed before it was watched: looked at once more.
                isWatched = true;
            }
            // Who was woken for work and leaves wakes another for it.
            if (_ready.Count > 0)
                Monitor.Pulse(_gate);
            return null;
        }
    }

    private void WakeAll()
    {
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    /// <summary>Queues the sleepers whose time has come. Returns milliseconds until the next, rounded down so that none is late; -1 for none.</summary>
    private int WakeSleepers()
    {
        while (_sleeping is not null && _sleeping.TryPeek(out Ticket? ticket, out long wakeAt))
        {
            if (ticket.State == TicketState.Sleeping && ticket.WakeAt == wakeAt)
            {
                long left = wakeAt - clock.Monotonic;
                if (left > 0)
                    return (int)Math.Min(left / 1_000_000, int.MaxValue);
                Enqueue(ticket);
            }
            _sleeping.Dequeue();
        }
        return Timeout.Infinite;
    }

    private void PutBack(Ticket ticket, RunState state)
    {
        if (state.IsDone)
        {
            ticket.State = TicketState.Done;
        }
        else if (ticket.State == TicketState.Woken || state.WakeAt == 0)
        {
            Enqueue(ticket);
        }
        else
        {
            ticket.State = TicketState.Sleeping;
            ticket.WakeAt = state.WakeAt ?? long.MaxValue;
            if (state.WakeAt is { } wakeAt)
            {
                _sleeping ??= new PriorityQueue<Ticket, long>();
                _sleeping.Enqueue(ticket, wakeAt);
                // A worker may be waiting for a later sleeper than this one.
                Monitor.Pulse(_gate);
            }
        }
    }

    private void Enqueue(Ticket ticket)
    {
        ticket.State = TicketState.Queued;
        _ready.Enqueue(ticket);
        Monitor.Pulse(_gate);
    }

    private void Wake(Ticket ticket)
    {
        lock (_gate)
        {
            if (ticket.State == TicketState.Sleeping)
                Enqueue(ticket);
            else if (ticket.State == TicketState.Running)
                ticket.State = TicketState.Woken;
        }
    }

    internal enum TicketState : byte
    {
        Queued,
        Running,

        /// <summary>Running, and woken meanwhile: runs again whatever this quantum ends with.</summary>
        Woken,
        Sleeping,
        Done,
    }

    /// <summary>One piece of work in the pool.</summary>
    public sealed class Ticket
    {
        private readonly WorkerPool _pool;

        internal Ticket(WorkerPool pool, IWork work)
        {
            _pool = pool;
            Work = work;
        }

        internal IWork Work { get; }

        internal TicketState State { get; set; } = TicketState.Sleeping;

        internal long WakeAt { get; set; } = long.MaxValue;

        /// <summary>Makes idle or new work run, from any thread.</summary>
        public void Wake() => _pool.Wake(this);
    }
}
