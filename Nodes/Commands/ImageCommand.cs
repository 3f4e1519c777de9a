using Spectre.Console;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Nodes.Images;

namespace Vivarium.Nodes.Commands;

/// <summary><c>viv image push|ls|rm</c>.</summary>
internal static class ImageCommand
{
    private const string Help =
        """
        usage: viv image push [--name NAME] PATH    PATH: a directory, a tar archive (also with gzip, zstd,
                                                    bzip2 or xz where that is installed), an OCI layout,
                                                    or what docker save writes
               viv image ls
               viv image rm NAME|HASH...

        An image is the tree that a guest has as its /. It is kept once however often it is pushed, and nodes fetch it when a job
        needs it. A push that broke off goes on where it was when it is called again.

        """;

    public static int Execute(ReadOnlySpan<string> arguments)
    {
        string verb = arguments.IsEmpty ? "" : arguments[0];
        ReadOnlySpan<string> rest = arguments.IsEmpty ? arguments : arguments[1..];
        return verb switch
        {
            "push" => Push(rest),
            "ls" => List(rest),
            "rm" => Remove(rest),
            "--help" or "-h" => HelpText.Show(Help, new OptionTable([.. new ClientOptions().Options])),
            "" => Failure.Usage("no image command given", "image"),
            _ => Failure.Usage($"unknown image command {verb}", "image"),
        };
    }

    /// <summary>Pushes an image unless the node has it.</summary>
    public static async Task<ImageAnswer> Push(ApiClient api, string path, string? name)
    {
        using var files = new ArchiveStore(new ImageLimits(ulong.MaxValue / 4), hasPrograms: true);
        BuiltImage built;
        try
        {
            built = ImageBuilder.FromPath(path, files, new ImageLimits(ulong.MaxValue / 4));
        }
        catch (Exception failure) when (failure is ImageException or IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"{path}: {failure.Message}");
        }
        foreach (string note in built.Notes)
            Console.Error.WriteLine("viv: " + note);
        if (await api.FindImage(built.Hash).ConfigureAwait(false) is { } there)
            return name is null || there.Name == name ? there : await api.NameImage(built.Hash, name).ConfigureAwait(false);
        return await ClientOutput.WithProgress($"pushing {ClientOutput.Size(built.Length)}", built.Length, progress =>
            api.PushImage(built.Hash, built.Archive, name, progress)).ConfigureAwait(false);
    }

    private static int Push(ReadOnlySpan<string> arguments)
    {
        var client = new ClientOptions();
        string? name = null;
        return ClientCommand.Execute(
            "image push", Help, arguments, client, [new("Image", "--name", OptionForm.Value, "NAME", "A name for it; an older image of that name loses it.", value => ClientOptions.Set(() => name = value))], 1..1,
            async (api, words) =>
            {
                ImageAnswer image = await Push(api, words[0], name).ConfigureAwait(false);
                if (client.Json)
                    ClientOutput.WriteJson(image);
                else
                    Console.Out.WriteLine(image.Hash);
                return 0;
            });
    }

    private static int List(ReadOnlySpan<string> arguments)
    {
        var client = new ClientOptions();
        return ClientCommand.Execute("image ls", Help, arguments, client, [], 0..0, async (api, _) =>
        {
            ImageList list = await api.Images().ConfigureAwait(false);
            if (client.Json)
            {
                ClientOutput.WriteJson(list);
                return 0;
            }
            Table table = ClientOutput.NewTable("hash", "name", "size", "age");
            foreach (ImageAnswer image in list.Images)
                table.AddRow(image.Hash, ClientOutput.Plain(image.Name), ClientOutput.Size(image.Bytes), ClientOutput.Age(image.CreatedAt));
            ClientOutput.Write(table);
            return 0;
        });
    }

    private static int Remove(ReadOnlySpan<string> arguments) =>
        ClientCommand.Execute("image rm", Help, arguments, new ClientOptions(), [], 1..^0, async static (api, words) =>
        {
            foreach (string reference in words)
                await api.RemoveImage(reference).ConfigureAwait(false);
            return 0;
        });
}
