using System.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Actors.Execution;

/// <summary>The addresses of a switch's ports by their numbers.</summary>
public static class SwitchAddresses
{
    private const int Prefix = 16;

    /// <summary>Locally administered; the number in the last two bytes.</summary>
    public static byte[] Hardware(int number) => [0x02, 0x56, 0x56, 0x00, (byte)(number >> 8), (byte)number];

    /// <summary>10.86.0.0/16.</summary>
    public static InterfaceAddress Internet(int number) => new(new IPAddress([10, 86, (byte)(number >> 8), (byte)number]), Prefix)
    {
        Broadcast = new IPAddress([10, 86, 255, 255]),
    };
}
