using System.Globalization;
using System.Text;

namespace Vivarium.Nodes.Benchmarks;

/// <summary>Programs that people run, and the files they work on, which are the same in every run.</summary>
/// <param name="sources">The folder bench/.</param>
/// <param name="folder">Where files are made.</param>
internal sealed class RealPrograms(string sources, string folder)
{
    private const int Lines = 1_000_000, Inserts = 100_000;
    private const int Vocabulary = 8192;

    private const string Awk =
        "{ words += NF; bytes += length($0); sum += $1; seen[$2]++ } END { for (word in seen) distinct++; print NR, words, bytes, sum, distinct }";

    /// <summary>As Debian installs them: what PATH finds may be a script, which qemu-user does not run.</summary>
    private const string Programs = "/usr/bin/";

    /// <summary>Name of the row and command of each; those not installed are told of on standard error.</summary>
    public IEnumerable<(string Name, string[] Command)> Commands(double scale)
    {
        string text = Make("text", (int)(Lines * scale), WriteText), inserts = Make("inserts", (int)(Inserts * scale), WriteInserts);
        (string, string[])[] commands =
        [
            ("python3", ["python3", Path.Combine(sources, "loop.py"), scale.ToString(CultureInfo.InvariantCulture)]),
            ("busybox gzip, 50 MB", ["busybox", "gzip", "-c", text]),
            ("awk, 1M lines", ["awk", Awk, text]),
            // A database without a name is in a file of its own, made and removed by SQLite.
            ("sqlite3, 100k inserts", ["sqlite3", "", ".read " + inserts]),
        ];
        foreach ((string name, string[] command) in commands)
        {
            string program = Programs + command[0];
            if (File.Exists(program))
                yield return (name, [program, .. command.AsSpan(1)]);
            else
                Console.Error.WriteLine($"viv: bench: {name}: there is no {program}");
        }
    }

    private string Make(string kind, int count, Action<TextWriter, int> write)
    {
        string path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{kind}-{count}"));
        if (!File.Exists(path))
        {
            // Complete or not there.
            using (var writer = new StreamWriter(path + ".new", append: false, Encoding.ASCII))
                write(writer, count);
            File.Move(path + ".new", path, overwrite: true);
        }
        return path;
    }

    /// <summary>Lines of about 50 bytes: a number, then words, short ones more often.</summary>
    private static void WriteText(TextWriter writer, int lines)
    {
        var numbers = new Sequence();
        string[] words = [.. Enumerable.Range(0, Vocabulary).Select(i => Word(numbers, i))];
        for (int i = 0; i < lines; i++)
        {
            writer.Write(numbers.Below(1_000_000));
            for (int count = 4 + numbers.Below(5); count > 0; count--)
            {
                writer.Write(' ');
                writer.Write(words[Math.Min(numbers.Below(Vocabulary), Math.Min(numbers.Below(Vocabulary), numbers.Below(Vocabulary)))]);
            }
            writer.Write('\n');
        }
    }

    private static string Word(Sequence numbers, int rank)
    {
        char[] letters = new char[2 + int.Log2(rank + 1) / 3 + numbers.Below(4)];
        for (int i = 0; i < letters.Length; i++)
            letters[i] = i % 2 == 0 ? "bcdfghklmnprstvw"[numbers.Below(16)] : "aeiou"[numbers.Below(5)];
        return new string(letters);
    }

    private static void WriteInserts(TextWriter writer, int count)
    {
        var numbers = new Sequence();
        writer.Write("CREATE TABLE entry(id INTEGER PRIMARY KEY, name TEXT, amount REAL, note TEXT);\nCREATE INDEX entry_name ON entry(name);\nBEGIN;\n");
        for (int i = 0; i < count; i++)
        {
            string name = Word(numbers, i) + numbers.Below(1000), note = Word(numbers, i) + " " + Word(numbers, i);
            writer.Write(string.Create(CultureInfo.InvariantCulture, $"INSERT INTO entry VALUES({i}, '{name}', {numbers.Below(100_000) / 100.0}, '{note}');\n"));
        }
        writer.Write("COMMIT;\nSELECT count(*), count(DISTINCT name), sum(amount) FROM entry;\n");
    }

    /// <summary>Marsaglia's xorshift of 32 bits: the same numbers with every .NET.</summary>
    private sealed class Sequence
    {
        private uint _state = 1;

        public int Below(int limit)
        {
            _state ^= _state << 13;
            _state ^= _state >> 17;
            _state ^= _state << 5;
            return (int)((ulong)_state * (uint)limit >> 32);
        }
    }
}
