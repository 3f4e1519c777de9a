using System.Text.RegularExpressions;
using Vivarium.Nodes.Commands;
using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Vivarium.Nodes.Suites;

/// <summary>Reads suite files and says what is wrong with them, and where.</summary>
internal static class SuiteReader
{
    /// <exception cref="SuiteException">It cannot be read or means nothing.</exception>
    public static SuiteFile Read(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new SuiteException($"{path}: {failure.Message}");
        }
        return Parse(text, path);
    }

    /// <summary>Reads a suite from text; <paramref name="path"/> is for messages and for files beside it.</summary>
    public static SuiteFile Parse(string text, string path)
    {
        IDeserializer deserializer = new DeserializerBuilder()
            .WithNamingConvention(HyphenatedNamingConvention.Instance)
            .WithDuplicateKeyChecking()
            .Build();
        SuiteFile suite;
        try
        {
            suite = deserializer.Deserialize<SuiteFile>(text) ?? throw new SuiteException($"{path}: is empty");
        }
        catch (YamlException wrong)
        {
            throw new SuiteException($"{path}:{wrong.Start.Line}: {Explain(wrong)}");
        }
        Check(suite, path);
        return suite;
    }

    private static string Explain(YamlException wrong)
    {
        const string missing = "Property '";
        string message = (wrong.InnerException ?? wrong).Message;
        int name = message.IndexOf(missing, StringComparison.Ordinal);
        if (name >= 0 && message.Contains("not found on type", StringComparison.Ordinal))
            return $"there is no field {message[(name + missing.Length)..].Split('\'')[0]} here";
        // A list or fields where one value is wanted, or the other way round.
        return message.Contains("No node deserializer", StringComparison.Ordinal) ? "this field takes another kind of value (docs/suites.md)" : message.Split('\n')[0];
    }

    private static void Check(SuiteFile suite, string path)
    {
        // What is there but empty ("matrix:") is null to the parser.
        suite.Defaults ??= new CaseEntry();
        suite.Matrix ??= new MatrixEntry();
        suite.Matrix.Images ??= [];
        suite.Matrix.Engines ??= [];
        suite.Matrix.Seeds ??= [];
        suite.Matrix.Os ??= [];
        suite.Matrix.Arch ??= [];
        suite.Matrix.Exclude ??= [];
        suite.Cases ??= [];
        Require(!suite.Matrix.Images.Contains(null!), $"{path}: matrix", "an image has no name");
        if (suite.Cases.Count == 0)
            throw new SuiteException($"{path}: has no cases");
        HashSet<string> names = new(StringComparer.Ordinal);
        for (int i = 0; i < suite.Cases.Count; i++)
        {
            CaseEntry entry = suite.Cases[i];
            string place = $"{path}: case {entry?.Name ?? $"number {i + 1}"}";
            if (entry is null)
                throw new SuiteException($"{place} is empty");
            if (string.IsNullOrEmpty(entry.Name))
                throw new SuiteException($"{place} has no name");
            if (!names.Add(entry.Name))
                throw new SuiteException($"{place} is there twice");
            Check(entry, place);
            if ((entry.Program ?? suite.Defaults.Program ?? entry.Shell ?? suite.Defaults.Shell) is null)
                throw new SuiteException($"{place} names no program");
        }
        Check(suite.Defaults, $"{path}: defaults");
        foreach (string? word in suite.Matrix.Os.Concat(suite.Matrix.Arch))
            Require(IsWord(word), $"{path}: matrix", $"not a system's or a processor's name: {word}");
        Require(suite.Matrix.Exclude.All(static entry => entry is { Os: not null } or { Arch: not null }), $"{path}: matrix", "what is excluded has neither os nor arch");
        foreach (string engine in suite.Matrix.Engines)
            Require(engine is "translator" or "interpreter", $"{path}: matrix", $"no such engine: {engine}");
    }

    private static void Check(CaseEntry entry, string place)
    {
        Require(entry.Shell is null || entry.Program is null && entry.Arguments is null, place, "shell goes not with program and arguments");
        Require(entry.Arguments?.Contains(null!) != true, place, "an argument is empty: write \"\"");
        Require(entry.Files?.Contains(null!) != true, place, "a file is empty");
        Require(entry.Timeout is null || Quantity.TryParseTime(entry.Timeout, out TimeSpan time) && time > TimeSpan.Zero, place, $"not a time: {entry.Timeout}");
        Require(entry.Memory is null || Quantity.TryParseSize(entry.Memory, out ulong size) && size > 0, place, $"not a size: {entry.Memory}");
        Require(entry.Engine is null or "translator" or "interpreter", place, $"no such engine: {entry.Engine}");
        Require((entry.Os is null || IsWord(entry.Os)) && (entry.Arch is null || IsWord(entry.Arch)), place, $"not a system's or a processor's name: {entry.Os} {entry.Arch}");
        Require(entry.Clock is null or "real" or "virtual", place, $"no such clock: {entry.Clock}");
        Require(entry.User is null || entry.User.Split(':') is { Length: <= 2 } parts && parts.All(static part => uint.TryParse(part, out _)), place, $"user is not UID[:GID]: {entry.User}");
        foreach (FileEntry file in entry.Files ?? [])
        {
            Require(file.Path is not null, place, "a file has no path");
            Require(file.Content is null != file.From is null, place, $"file {file.Path} must have either content or from");
            Require(file.Mode is null || Regex.IsMatch(file.Mode, "^[0-7]{1,5}$"), place, $"file {file.Path} has a mode that is not octal: {file.Mode}");
        }
        Require(IsPattern(entry.Expect?.Pattern, out string? why), place, $"pattern: {why}");
        Require(IsPattern(entry.Expect?.ErrorPattern, out why), place, $"error-pattern: {why}");
    }

    private static bool IsWord(string? text) => text is { Length: > 0 and <= 32 } && text.All(static letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-');

    private static bool IsPattern(string? pattern, out string? why)
    {
        why = null;
        try
        {
            _ = pattern is null ? null : new Regex(pattern);
            return true;
        }
        catch (ArgumentException wrong)
        {
            why = wrong.Message;
            return false;
        }
    }

    private static void Require(bool isGood, string place, string wrong)
    {
        if (!isGood)
            throw new SuiteException($"{place}: {wrong}");
    }
}
