namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>All links by number, which is what an exit stub can tell. The caller holds the code cache's lock, or reads.</summary>
internal sealed class LinkTable
{
    private Link?[] _links = new Link?[4096];
    private int _count;

    public int Add(Link link)
    {
        if (_count == _links.Length)
            Array.Resize(ref _links, 2 * _count);
        _links[_count] = link;
        return _count++;
    }

    public Link Get(int number) => _links[number]!;

    public void Clear()
    {
        Array.Clear(_links, 0, _count);
        _count = 0;
    }
}
