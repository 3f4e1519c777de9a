using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>Tells the owner of an open file by signals that it can be read or written (O_ASYNC of open(2)), until that is switched off.</summary>
internal sealed class AsyncSignals : ISourceListener
{
    private readonly World _world;
    private readonly OpenFile _file;
    private readonly int _descriptor;

    /// <param name="world">Where the owner is.</param>
    /// <param name="file">What is watched.</param>
    /// <param name="descriptor">The number that was used to switch it on: signals tell it, whatever became of it.</param>
    public AsyncSignals(World world, OpenFile file, int descriptor)
    {
        (_world, _file, _descriptor) = (world, file, descriptor);
        file.AsyncSource!.Attach(this);
        file.Closed += Drop;
    }

    public void OnPulse(Source source, Readiness edges)
    {
        Readiness news = _file.AsyncNews(edges);
        if ((news & Readiness.HangUp) != 0)
            Raise(FileNews.HangUp);
        else if ((news & Readiness.Error) != 0)
            Raise(FileNews.Error);
        else
            RaiseReady(news);
    }

    private void RaiseReady(Readiness news)
    {
        if ((news & Readiness.Priority) != 0)
            Raise(FileNews.Priority);
        if ((news & (Readiness.In | Readiness.ReadHangUp)) != 0)
            Raise(FileNews.In);
        if ((news & Readiness.Out) != 0)
            Raise(FileNews.Out);
    }

    private void Raise(FileNews news) => _file.SignalOwner?.Raise(_world, _descriptor, news);

    public void Drop()
    {
        _file.Closed -= Drop;
        _file.AsyncSource!.Detach(this);
    }
}
