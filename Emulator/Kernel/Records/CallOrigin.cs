namespace Vivarium.Emulator.Kernel.Records;

/// <summary>The call that sent something to another world.</summary>
/// <param name="World">Its world's <see cref="WorldSpec.Identity"/>.</param>
/// <param name="Sequence">Its place among that world's calls.</param>
/// <param name="Process">The process that made it.</param>
/// <param name="Sent">Its number among that world's calls that sent something, as <see cref="SendBursts"/> gives them.</param>
public sealed record CallOrigin(byte[] World, long Sequence, int Process, int Sent);
