namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>All links by number, which is what an exit stub can tell.</summary>
internal static class LinkTable
{
    private static readonly Lock Gate = new();
    private static readonly Stack<int> Free = [];
    private static Link?[] _links = new Link?[4096];
    private static int _count;

    public static int Add(Link link)
    {
        lock (Gate)
        {
            if (!Free.TryPop(out int number))
            {
                if (_count == _links.Length)
                    Array.Resize(ref _links, 2 * _count);
                number = _count++;
            }
            _links[number] = link;
            return number;
        }
    }

    public static Link Get(int number) => _links[number]!;
}
