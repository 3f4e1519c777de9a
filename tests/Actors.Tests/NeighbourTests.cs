using System.Text;
using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;
using Vivarium.Telemetry.Traces;
using Xunit;

namespace Vivarium.Actors.Tests;

/// <summary>Two worlds share one worker: whatever one of them does, the other gets its turns, and its work done in them.</summary>
public sealed class NeighbourTests
{
    private const long Quantum = 100_000;

    [Theory]
    [InlineData("bomb() { bomb | bomb & }; bomb; while :; do :; done")]
    [InlineData("x=xxxxxxxx; while :; do x=$x$x; done; while :; do :; done")]
    [InlineData("cd /tmp; while mkdir d && cd d; do :; done; while :; do :; done")]
    [InlineData("cd /tmp; i=0; while echo > f$i; do i=$((i + 1)); done; while :; do :; done")]
    [InlineData("while :; do sleep 1000 & done")]
    [InlineData("yes | cat > /dev/null")]
    public void A_bomb_leaves_its_neighbour_its_turns(string bomb)
    {
        var pool = new WorkerPool(new FakeClock(), Quantum);
        var first = new Counted(bomb, () => { });
        var second = new Counted("i=0; while [ $i -lt 4000 ]; do i=$((i + 1)); done; echo $i", pool.Stop);
        first.Join(pool);
        second.Join(pool);
        pool.Work();
        Assert.Equal("4000\n", second.Output.Text);
        Assert.Equal(0, second.Run.Result.ExitCode);
        // Turn by turn, and each turn a quantum's work: a call more or less.
        Assert.InRange(first.Turns, 0, second.Turns + 1);
        Assert.True((long)second.Run.Result.Usage.Instructions > (second.Turns - 2) * Quantum / 2, $"{second.Run.Result.Usage.Instructions} instructions in {second.Turns} turns");
        first.Run.Dispose();
        second.Run.Dispose();
    }

    [Theory]
    [InlineData(-3_600_000_000_000)]
    [InlineData(3_600_000_000_000)]
    public void A_step_of_the_hosts_clock_moves_no_span(long step)
    {
        var clock = new FakeClock();
        clock.Advance(1_700_000_000_000_000_000);
        TraceRecording? trace = null;
        using (IJobRun run = Begin(new EmulatorServices
        {
            Clock = clock,
            Streams = static (_, _) => new JobStreams(new Nothing(), new Sink(), new Sink()),
            Seeds = static () => 1,
            Traces = recording => trace = recording,
        }, "i=0; while [ $i -lt 200 ]; do echo $i; i=$((i + 1)); done"))
        {
            for (int turn = 0; !run.Run(20_000).IsDone; turn++)
            {
                clock.Advance(1_000_000);
                if (turn == 3)
                    clock.Step(step);
            }
        }
        TraceSpan[] spans = [.. trace!.Document.Spans];
        long before = 1_700_000_000_000_000_000;
        Assert.All(spans, span => Assert.InRange(span.Start, before, span.End));
        Assert.All(spans, span => Assert.InRange(span.End, span.Start, before + 60_000_000_000));
        Assert.All(spans, span => Assert.InRange(span.End, span.Start, spans[0].End));
    }

    private static IJobRun Begin(EmulatorServices services, string script) => new EmulatorBackend(services).Create(
        Node.Id,
        new JobSpec
        {
            Program = "/bin/sh"u8.ToArray(),
            Arguments = ["sh"u8.ToArray(), "-c"u8.ToArray(), Encoding.UTF8.GetBytes(script)],
            Environment = ["PATH=/usr/bin:/bin"u8.ToArray()],
            Limits = new JobLimits { Memory = 64 << 20 },
        },
        new JobOutput(null!, 1, 0));

    /// <summary>A run of a shell script whose turns are counted.</summary>
    private sealed class Counted : IWork
    {
        private readonly Action _ended;

        public Counted(string script, Action ended)
        {
            _ended = ended;
            Run = Begin(new EmulatorServices
            {
                Clock = new FakeClock(),
                Streams = (_, _) => new JobStreams(new Nothing(), Output, Output),
                Seeds = static () => 1,
            }, script);
        }

        public IJobRun Run { get; }

        public Sink Output { get; } = new();

        public int Turns { get; private set; }

        public void Join(WorkerPool pool)
        {
            WorkerPool.Ticket ticket = pool.Add(this);
            Run.Woken += ticket.Wake;
            ticket.Wake();
        }

        RunState IWork.Run(long quantum)
        {
            Turns++;
            RunState state = Run.Run(quantum);
            if (state.IsDone)
                _ended();
            return state;
        }
    }

    private sealed class Nothing : IHostInput
    {
        public event Action? Available
        {
            add { }
            remove { }
        }

        public bool IsTerminal => false;

        public int TryRead(Span<byte> destination) => 0;
    }

    /// <summary>Keeps the first bytes.</summary>
    private sealed class Sink : IHostOutput
    {
        private readonly StringBuilder _text = new();

        public event Action? RoomAvailable
        {
            add { }
            remove { }
        }

        public string Text => _text.ToString();

        public bool IsTerminal => false;

        public int TryWrite(ReadOnlySpan<byte> source)
        {
            if (_text.Length < 4096)
                _text.Append(Encoding.Latin1.GetString(source));
            return source.Length;
        }
    }
}
