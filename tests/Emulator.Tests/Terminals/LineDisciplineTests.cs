using System.Text;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Terminals;
using Xunit;

namespace Vivarium.Emulator.Tests.Terminals;

/// <summary>The line discipline on its own: what is typed, shown and read. The kernel's is compared with by tests/Guests/linediscipline.c.</summary>
public sealed class LineDisciplineTests
{
    private readonly Line _line = new();
    private readonly LineDiscipline _discipline;

    public LineDisciplineTests() => _discipline = new LineDiscipline(_line, TerminalSettings.Standard);

    [Theory]
    [InlineData("hellp\x7Fo\n", "hello\n", "hellp\b \bo\r\n")]
    [InlineData("one two\x17three\n", "one three\n", "one two\b \b\b \b\b \bthree\r\n")]
    [InlineData("gone\x15x\n", "x\n", "gone\b \b\b \b\b \b\b \bx\r\n")]
    [InlineData("\x16\x03\n", "\x03\n", "^\b^C\r\n")]
    [InlineData("ab\x12" + "c\n", "abc\n", "ab^R\r\nabc\r\n")]
    [InlineData("a\tb\x7F\x7F" + "c\n", "ac\n", "a\tb\b \b\b\b\b\b\b\b\bc\r\n")]
    [InlineData("\x1B[A\n", "\x1B[A\n", "^[[A\r\n")]
    [InlineData("back\r", "back\n", "back\r\n")]
    public void Lines_are_edited_and_echoed(string typed, string read, string shown)
    {
        Type(typed);
        Assert.Equal(read, ReadLine());
        Assert.Equal(shown, _line.Shown);
    }

    [Fact]
    public void A_character_of_several_bytes_is_erased_whole()
    {
        Change((ref TerminalSettings settings) => settings.Input |= InputModes.Utf8);
        Type([(byte)'a', 0xC3, 0xA9, 0x7F, (byte)'\n']);
        Assert.Equal("a\n", ReadLine());
        Assert.EndsWith("\b \b\r\n", _line.Shown, StringComparison.Ordinal);
    }

    [Fact]
    public void End_of_file_ends_a_line_and_alone_is_the_end()
    {
        Type("no end\x04\x04");
        Assert.Equal("no end", ReadLine());
        Assert.True(_discipline.HasLine);
        Assert.Equal("", ReadLine());
        Assert.False(_discipline.HasLine);
    }

    [Fact]
    public void A_buffer_that_a_line_fills_takes_the_end_of_file_with_it()
    {
        Type("abc\x04");
        byte[] three = new byte[3];
        Assert.Equal(3, _discipline.ReadLine(three));
        Assert.False(_discipline.HasLine);
    }

    [Fact]
    public void A_line_longer_than_the_buffer_keeps_room_for_its_end()
    {
        Type(new string('x', 5000) + "y\n");
        string line = ReadLine(8192);
        Assert.Equal(4096, line.Length);
        Assert.EndsWith("x\n", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_that_nobody_reads_stop_the_typing_at_the_buffers_size()
    {
        string lines = string.Concat(Enumerable.Repeat("abcdefg\n", 1000));
        int taken = _discipline.Receive(Encoding.Latin1.GetBytes(lines));
        Assert.Equal(4095, taken);
        Assert.Equal("abcdefg\n", ReadLine());
    }

    [Theory]
    [InlineData(3, Signal.Interrupt, "^C")]
    [InlineData(28, Signal.Quit, "^\\")]
    [InlineData(26, Signal.TerminalStop, "^Z")]
    public void Signal_characters_signal_and_drop_what_was_typed(byte typed, int signal, string shown)
    {
        Type("lost\nand lost");
        _line.Clear();
        Type([typed]);
        Assert.Equal([signal], _line.Signals);
        Assert.Equal(1, _line.Flushes);
        Assert.Equal(shown, _line.Shown);
        Assert.False(_discipline.HasLine);
    }

    [Fact]
    public void Stopped_output_waits_and_echo_with_it()
    {
        Type("\x13");
        Assert.True(_line.IsStopped);
        Type("ab");
        Assert.Equal(0, _discipline.Write("out"u8));
        Assert.Equal("", _line.Shown);
        Type("\x11");
        Assert.Equal("ab", _line.Shown);
        Assert.Equal(3, _discipline.Write("out"u8));
    }

    [Fact]
    public void Output_is_processed_as_the_modes_say()
    {
        Change((ref TerminalSettings settings) => settings.Output |= OutputModes.ExpandTabs | OutputModes.LowerToUpper);
        Assert.Equal(9, _discipline.Write("ab\tc\nd\re\n"u8));
        Assert.Equal("AB      C\r\nD\rE\r\n", _line.Shown);
    }

    [Fact]
    public void Output_goes_as_far_as_there_is_room_and_never_tears_a_line_end()
    {
        _line.Limit = 3;
        Assert.Equal(2, _discipline.Write("ab\nc"u8));
        _line.Limit = 4;
        Assert.Equal(1, _discipline.Write("\nc"u8));
        Assert.Equal("ab\r\n", _line.Shown);
    }

    [Fact]
    public void Raw_input_is_there_at_once_and_silent()
    {
        Change((ref TerminalSettings settings) =>
        {
            settings.Local = LocalModes.None;
            settings.Input = InputModes.None;
        });
        Type("\x03x\r");
        Assert.Equal(3, _discipline.Available);
        byte[] bytes = new byte[8];
        Assert.Equal(3, _discipline.ReadRaw(bytes));
        Assert.Equal("", _line.Shown);
        Assert.Empty(_line.Signals);
    }

    [Fact]
    public void A_minimum_holds_readiness_back_unless_a_pause_ends_it()
    {
        Change((ref TerminalSettings settings) =>
        {
            settings.Local = LocalModes.None;
            settings.Characters[(int)ControlCharacter.Minimum] = 3;
        });
        Type("ab");
        Assert.False(_discipline.IsReadable);
        Type("c");
        Assert.True(_discipline.IsReadable);
    }

    [Fact]
    public void What_was_typed_survives_a_change_of_mode()
    {
        Type("half");
        Assert.False(_discipline.HasLine);
        Change((ref TerminalSettings settings) => settings.Local &= ~LocalModes.Canonical);
        Assert.Equal(4, _discipline.Available);
        Change((ref TerminalSettings settings) => settings.Local |= LocalModes.Canonical);
        Assert.Equal("half", ReadLine());
    }

    private delegate void Changing(ref TerminalSettings settings);

    private void Change(Changing change)
    {
        TerminalSettings settings = _discipline.Settings;
        change(ref settings);
        _discipline.Apply(settings);
    }

    private void Type(string typed) => Type(Encoding.Latin1.GetBytes(typed));

    private void Type(byte[] typed) => Assert.Equal(typed.Length, _discipline.Receive(typed));

    private string ReadLine(int most = 512)
    {
        byte[] bytes = new byte[most];
        return Encoding.Latin1.GetString(bytes, 0, _discipline.ReadLine(bytes));
    }

    /// <summary>A screen that takes so many bytes.</summary>
    private sealed class Line : ILine
    {
        private readonly StringBuilder _shown = new();

        public int Limit { get; set; } = int.MaxValue;

        public string Shown => _shown.ToString();

        public List<int> Signals { get; } = [];

        public int Flushes { get; private set; }

        public bool IsStopped { get; private set; }

        public int Room => IsStopped ? 0 : Limit - _shown.Length;

        public void Clear() => _shown.Clear();

        public int Write(ReadOnlySpan<byte> bytes)
        {
            _shown.Append(Encoding.Latin1.GetString(bytes));
            return bytes.Length;
        }

        public void FlushForSignal() => Flushes++;

        public void Signal(int signal) => Signals.Add(signal);

        public void Stop() => IsStopped = true;

        public void Start() => IsStopped = false;

        public void OnInput()
        {
        }
    }
}
