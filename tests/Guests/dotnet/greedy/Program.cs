// Takes memory until there is none left: an exception that the program handles, not the end of it.
var kept = new List<byte[]>();
try
{
    while (true)
    {
        byte[] block = new byte[1 << 20];
        Array.Fill(block, (byte)1);
        kept.Add(block);
    }
}
catch (OutOfMemoryException)
{
    int count = kept.Count;
    kept = null;
    Console.WriteLine(count > 16 ? "out of memory, and alive" : $"too early: {count}");
}
