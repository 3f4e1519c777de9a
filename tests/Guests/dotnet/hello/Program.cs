Console.WriteLine($"hello from .NET {Environment.Version.Major} on {Environment.OSVersion.Platform}, {args.Length} arguments");
return 3;
