using Microsoft.Playwright;
using Vivarium.Nodes.Tests.Http;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Vivarium.Dashboard.Tests;

/// <summary>Pages of a node that wants tokens, and of one that goes away.</summary>
[Collection(nameof(Stage))]
public sealed class AccessTests(Stage stage)
{
    private const string Reader = "reader-0123456789", Submitter = "submitter-0123456";

    [Fact]
    public async Task A_token_is_asked_for_kept_for_the_tab_and_decides_what_is_offered()
    {
        string tokens = Path.GetTempFileName();
        File.SetUnixFileMode(tokens, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(tokens, $"read {Reader}\nsubmit {Submitter}\n");
        var node = new ApiNode(("api.token-file", tokens));
        await node.InitializeAsync();
        try
        {
            node.Http.DefaultRequestHeaders.Authorization = new("Bearer", Submitter);
            string job = await node.Submit("sleep 300");
            await using Visit visit = await Visit.Begin(stage, $"#/jobs/{job}", address: node.Address, allowsRefusals: true);
            await Expect(visit.Find("#token")).ToBeFocusedAsync();
            await visit.Picture("token-light");
            await visit.Page.Keyboard.TypeAsync("wrong-0123456789abc");
            await visit.Press("Enter");
            await visit.Shows("nobody has this token");
            await visit.Page.Keyboard.TypeAsync(Reader);
            await visit.Press("Enter");
            await visit.Shows("sleep 300");
            await Expect(visit.Find(".head .state")).ToHaveTextAsync("running");
            await Expect(visit.Find("button", "Cancel job")).ToHaveCountAsync(0);
            await visit.Page.ReloadAsync();
            await visit.Shows("sleep 300");
            await visit.Page.EvaluateAsync("sessionStorage.clear()");
            await visit.Page.ReloadAsync();
            await visit.Find("#token").FillAsync(Submitter);
            await visit.Press("Enter");
            await visit.Find("button", "Cancel job").ClickAsync();
            await visit.Find("dialog button", "Cancel job").ClickAsync();
            await Expect(visit.Find(".head .state")).ToHaveTextAsync("cancelled");
        }
        finally
        {
            await node.DisposeAsync();
            File.Delete(tokens);
        }
    }

    [Fact]
    public async Task A_node_that_went_away_is_noticed()
    {
        var node = new ApiNode();
        await node.InitializeAsync();
        await using Visit visit = await Visit.Begin(stage, "#/cluster", address: node.Address, allowsRefusals: true);
        await visit.Shows("shards owned");
        await node.DisposeAsync();
        await Expect(visit.Find("#link")).ToHaveTextAsync("The node does not answer");
        await visit.Shows("The node cannot be reached");
        await visit.Picture("node-gone-light");
    }
}
