// Takes memory until there is none left: an exception that the program handles, not the end of it.
int blocks = Fill();
Console.WriteLine(blocks > 16 ? "out of memory, and alive" : $"too early: {blocks}");

static int Fill()
{
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
        return kept.Count;
    }
}
