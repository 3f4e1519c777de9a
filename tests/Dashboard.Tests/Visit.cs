using System.Collections.Concurrent;
using Microsoft.Playwright;
using Xunit;

namespace Vivarium.Dashboard.Tests;

/// <summary>
/// One look at a node's pages, in a tab of its own. At its end it must have asked nothing of other hosts, written no error to the
/// console, and opened no dialog of the browser (an alert would be a guest's script that ran).
/// </summary>
internal sealed class Visit : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _troubles = new();
    private readonly IBrowserContext _context;
    private readonly string _address;

    /// <param name="allowsRefusals">The browser writes to the console of every answer that is an error; some are meant.</param>
    private Visit(IBrowserContext context, IPage page, string address, bool allowsRefusals)
    {
        (_context, Page, _address) = (context, page, address);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning" && !(allowsRefusals && message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal)))
                _troubles.Enqueue($"console: {message.Text}");
        };
        page.PageError += (_, error) => _troubles.Enqueue($"exception: {error}");
        page.Dialog += (_, dialog) =>
        {
            _troubles.Enqueue($"dialog: {dialog.Message}");
            _ = dialog.DismissAsync();
        };
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(_address + "/", StringComparison.Ordinal) && !request.Url.StartsWith("blob:" + _address, StringComparison.Ordinal))
                _troubles.Enqueue($"asked elsewhere: {request.Url}");
        };
    }

    public IPage Page { get; }

    public static async Task<Visit> Begin(Stage stage, string path, int width = 1280, int height = 800, bool dark = false, string? address = null, bool allowsRefusals = false)
    {
        IBrowserContext context = await stage.Browser.NewContextAsync(new BrowserNewContextOptions
        {
            ViewportSize = new ViewportSize { Width = width, Height = height },
            ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light,
            ReducedMotion = ReducedMotion.Reduce,
        });
        context.SetDefaultTimeout(90_000);
        var visit = new Visit(context, await context.NewPageAsync(), address ?? stage.Node.Address, allowsRefusals);
        await visit.Page.GotoAsync($"{visit._address}/{path}");
        return visit;
    }

    public ILocator Find(string selector) => Page.Locator(selector);

    /// <summary>Of those that the selector finds, the ones with a text.</summary>
    public ILocator Find(string selector, string text) => Page.Locator(selector, new PageLocatorOptions { HasTextString = text });

    public async Task Shows(string text, string within = "main") =>
        await Assertions.Expect(Page.Locator(within)).ToContainTextAsync(text, new LocatorAssertionsToContainTextOptions { Timeout = 90_000 });

    /// <summary>Keeps a picture, for people and the docs.</summary>
    public Task Picture(string name) => Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(Stage.Screenshots, name + ".png") });

    public Task Press(params string[] keys) => Each(keys, key => Page.Keyboard.PressAsync(key));

    private static async Task Each(string[] items, Func<string, Task> work)
    {
        foreach (string item in items)
            await work(item);
    }

    public async ValueTask DisposeAsync()
    {
        await _context.DisposeAsync();
        Assert.Empty(_troubles);
    }
}
