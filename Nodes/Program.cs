Console.WriteLine("viv");
