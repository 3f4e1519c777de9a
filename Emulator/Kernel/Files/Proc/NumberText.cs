namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>Numbers written to files of /proc, as the kernel reads them (kstrtouint in lib/kstrtox.c with base 0).</summary>
internal static class NumberText
{
    private const string Digits = "0123456789abcdef";

    /// <summary>Hexadecimal behind 0x, octal behind 0, else decimal; with a plus before it and one line's end behind it. ERANGE past 32 bits, EINVAL for what is no number.</summary>
    public static Errno Read(string text, out uint value)
    {
        value = 0;
        ReadOnlySpan<char> digits = text.AsSpan();
        if (digits.EndsWith("\n"))
            digits = digits[..^1];
        if (digits.StartsWith("+"))
            digits = digits[1..];
        uint radix = 10;
        if (digits.Length > 2 && digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            radix = 16;
            digits = digits[2..];
        }
        else if (digits.Length > 1 && digits[0] == '0')
        {
            radix = 8;
        }
        if (digits.IsEmpty)
            return Errno.EINVAL;
        ulong sum = 0;
        bool isTooLarge = false;
        foreach (char digit in digits)
        {
            uint number = (uint)Digits.IndexOf(char.ToLowerInvariant(digit), StringComparison.Ordinal);
            if (number >= radix)
                return Errno.EINVAL;
            sum = (sum * radix) + number;
            isTooLarge |= sum > uint.MaxValue;
            sum = isTooLarge ? 0 : sum;
        }
        value = (uint)sum;
        return isTooLarge ? Errno.ERANGE : Errno.None;
    }
}
