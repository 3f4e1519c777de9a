using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.Translator;
using Vivarium.Messages;

namespace Vivarium.Actors.Execution;

/// <summary>The engines of this process. All worlds share the translator, so that a program is translated once (design decision 4).</summary>
internal static class Engines
{
    private static readonly Lazy<IEngine> Translator = new(static () => new Translator(BlockCache.Shared));

    public static IEngine Of(EngineKind kind) =>
        kind == EngineKind.Translator && Emulator.Cpu.Translator.Translator.IsSupported ? Translator.Value : new Interpreter(BlockCache.Shared);
}
